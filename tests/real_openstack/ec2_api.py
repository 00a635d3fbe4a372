"""
ec2-api, started as Debian's Keystone wants it. A program of its own, run by the Python that ec2-api is installed for.

Owns: the log-in that ec2-api 17 lacks. It asks Keystone whose key signed a request (``/v3/ec2tokens``) without being
anybody itself, which Keystone refuses since it was found that whoever may ask so gets a token for the answer. Does not
own: its configuration.
"""

from ec2api.cmd import api as program  # first of all, for it makes sockets give way to each other
from keystoneauth1 import loading
from keystoneauth1 import session as keystone
from oslo_config.cfg import CONF
from requests import PreparedRequest, Session
from requests.auth import AuthBase


class ServiceLogin(AuthBase):
    """Shows the token of the service user whom the configuration names under ``keystone_authtoken``."""

    def __init__(self) -> None:
        self._session: keystone.Session | None = None

    def __call__(self, r: PreparedRequest) -> PreparedRequest:
        """The same request, with a token. The first one logs in: by then the configuration has been read."""
        if self._session is None:
            self._session = keystone.Session(loading.load_auth_from_conf_options(CONF, "keystone_authtoken"))
        r.headers["X-Auth-Token"] = self._session.get_token()
        return r


def main() -> None:
    """Nothing; ec2-api has served until it was ended."""
    from ec2api import api

    # That one question is all that this module asks anybody.
    api.requests = Session()
    api.requests.auth = ServiceLogin()
    program.main()


if __name__ == "__main__":
    main()
