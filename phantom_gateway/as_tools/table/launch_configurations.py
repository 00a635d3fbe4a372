"""
Commands about launch configurations.

Owns: their rows of the table.
"""

from phantom_gateway.as_tools.grammar import FORCE, MAX_RECORDS, Argument, Column, Command, Line, Option, flag, text

NAMES = ("--launch-config", "--name")

NAME = Argument("LaunchConfigurationName", "NAME", "The launch configuration; on the gateway base@cloud.", NAMES)

COMMANDS = (
    Command(
        "create-launch-config",
        "Create a launch configuration: what the VMs of a group are.",
        "CreateLaunchConfiguration",
        NAME,
        (
            text("--image-id -i", "ImageId", "The image.", "IMAGE", required=True),
            text("--instance-type -t", "InstanceType", "The instance type.", "TYPE", required=True),
            text("--key", "KeyName", "The key pair.", "KEY"),
            text("--group", "SecurityGroups", "The security groups.", "GROUP[,GROUP...]"),
            Option(
                ("--user-data", "-d", "--user-data-force"),
                "UserData",
                "User data, as it is.",
                "TEXT",
                reads="user data",
            ),
            Option(
                ("--user-data-file", "-f"), "UserData", "A file with the user data.", "FILE", reads="user data file"
            ),
            text("--kernel", "KernelId", "The kernel.", "KERNEL"),
            text("--ramdisk", "RamdiskId", "The ramdisk.", "RAMDISK"),
            Option(
                ("--block-device-mapping",),
                "BlockDeviceMappings",
                "Devices; what each is: snapshot[:GiB[:delete on termination]], :GiB, ephemeral0 to ephemeral23, none.",
                "DEVICE=WHAT[,DEVICE=WHAT...]",
                reads="devices",
            ),
            flag("--monitoring-enabled", "InstanceMonitoring.Enabled", "true", "Monitor in detail."),
            flag("--monitoring-disabled", "InstanceMonitoring.Enabled", "false", "Do not."),
            text("--spot-price", "SpotPrice", "The most that a spot instance may cost in an hour.", "PRICE"),
            text("--iam-instance-profile", "IamInstanceProfile", "The instance profile.", "PROFILE"),
            flag("--ebs-optimized", "EbsOptimized", "true", "Optimise for EBS."),
            flag("--associate-public-ip-address", "AssociatePublicIpAddress", "true", "Give VMs a public address."),
            flag("--no-associate-public-ip-address", "AssociatePublicIpAddress", "false", "Do not."),
        ),
        success="OK-Created launch config",
    ),
    Command(
        "describe-launch-configs",
        "Describe launch configurations: those named, or all.",
        "DescribeLaunchConfigurations",
        Argument("LaunchConfigurationNames", "NAME", "The launch configurations.", NAMES, many=True),
        (MAX_RECORDS,),
        (
            Line(
                "LAUNCH-CONFIG",
                "LaunchConfigurations",
                (
                    Column("NAME", "LaunchConfigurationName"),
                    Column("IMAGE-ID", "ImageId"),
                    Column("TYPE", "InstanceType"),
                    Column("KEY", "KeyName", long=True),
                    Column("KERNEL", "KernelId", long=True),
                    Column("RAMDISK", "RamdiskId", long=True),
                    Column("BLOCK-DEVICES", "BlockDeviceMappings", long=True),
                    Column("SECURITY-GROUPS", "SecurityGroups", long=True),
                    Column("CREATED", "CreatedTime", long=True),
                    Column("MONITORING", "InstanceMonitoring.Enabled", long=True),
                    Column("LAUNCH-CONFIG-ARN", "LaunchConfigurationARN", long=True),
                    Column("SPOT-PRICE", "SpotPrice"),
                    Column("IAM-INSTANCE-PROFILE", "IamInstanceProfile"),
                    Column("EBS-OPTIMIZED", "EbsOptimized", long=True),
                ),
            ),
        ),
        page_max=100,
    ),
    Command(
        "delete-launch-config",
        "Delete a launch configuration that no group uses.",
        "DeleteLaunchConfiguration",
        NAME,
        (FORCE,),
        success="OK-Deleted launch configuration",
        question="Are you sure you want to delete this launch configuration? [Ny]",
    ),
)
