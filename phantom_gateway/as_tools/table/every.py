"""
What every command takes: options about the endpoint, the signature and the output, and environment variables.

Owns: their spellings and words. Does not own: what follows from them (``endpoint``, ``credentials``, ``rendering``).
"""

from phantom_gateway.as_tools.grammar import Option, flag, text

EVERY_COMMAND: tuple[Option, ...] = (
    text("--url -U", "", "The endpoint.", "URL"),
    text("--region", "", "The region, when no URL is given; and in signatures.", "REGION"),
    text("--aws-credential-file", "", "A file with AWSAccessKeyId=... and AWSSecretKey=...", "FILE"),
    text("--access-key-id -I", "", "The access key; only together with -S.", "KEY"),
    text("--secret-key -S", "", "The secret; everybody on this machine sees it in the list of processes.", "SECRET"),
    text("--ec2-cert-file-path -C", "", "An X.509 certificate; see Credentials.", "FILE"),
    text("--ec2-private-key-file-path -K", "", "Its private key.", "FILE"),
    text("--signature-version", "", "4, or 2 for endpoints that know no other.", "NUMBER"),
    text("--connection-timeout", "", "Seconds to wait for the endpoint; 30 when left out.", "SECONDS"),
    flag("--show-table", "", "", "Print a table; so it is when nothing else is asked for."),
    flag("--show-long", "", "", "Print every field, parted by the delimiter."),
    flag("--show-xml", "", "", "Print the answer as it came."),
    flag("--quiet", "", "", "Print nothing."),
    text("--delimiter", "", "What parts fields; by itself it asks for --show-long. A comma when left out.", "TEXT"),
    flag("--headers -H", "", "", "Print a line of headings before each kind of line; the HTTP headers before XML."),
    flag("--show-empty-fields", "", "", "Print (nil) for what is empty."),
    flag("--show-request", "", "", "Print what is asked of the endpoint, to standard error."),
    flag("--help -h", "", "", "Explain the command."),
)
"""A command's own option of the same spelling comes first: in two commands ``-h`` and ``-H`` mean the cooldown."""

VARIABLES = {
    "AWS_AUTO_SCALING_URL": "The endpoint, as `--url`.",
    "AWS_ENDPOINT_URL_AUTO_SCALING, AWS_ENDPOINT_URL": "The endpoint, as newer AWS clients read it; after the above.",
    "EC2_REGION": "The region, as `--region`.",
    "AWS_REGION, AWS_DEFAULT_REGION": "The region, as newer AWS clients read it; after the above.",
    "AWS_CREDENTIAL_FILE": "A credential file, as `--aws-credential-file`.",
    "AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY, AWS_SESSION_TOKEN": "Credentials, as newer AWS clients read them.",
    "EC2_ACCESS_KEY, EC2_SECRET_KEY": "Credentials, as `euca2ools` read them.",
    "AWS_PROFILE, AWS_SHARED_CREDENTIALS_FILE": "Which profile of which file; `default` of `~/.aws/credentials`.",
    "EC2_PRIVATE_KEY, EC2_CERT": "An X.509 key and certificate, as `-K` and `-C`.",
    "AWS_AUTO_SCALING_SIGNATURE_VERSION": "The signature's version, as `--signature-version`.",
    "AWS_CA_BUNDLE": "A file with the certificates that an endpoint's own must be signed by.",
    "AWS_AUTO_SCALING_HOME, JAVA_HOME, SERVICE_JVM_ARGS": "Read by the original tools; not needed, and no harm.",
}
"""Variable or variables -> what they say."""
