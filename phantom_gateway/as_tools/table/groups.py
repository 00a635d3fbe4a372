"""
Commands about groups: their making, sizes, processes, metrics and end.

Owns: their rows of the table.
"""

from phantom_gateway.as_tools.grammar import FORCE, MAX_RECORDS, Argument, Column, Command, Line, Option, flag, text

NAMES = ("--auto-scaling-group", "--name")

GROUP = Argument("AutoScalingGroupName", "GROUP", "The group.", NAMES)

TAG = Option(("--tag",), "Tags", "A tag; may be repeated.", '"k=KEY, v=VALUE, p=true|false"', reads="tag")

HONOR_COOLDOWN = (
    flag("--honor-cooldown -h", "HonorCooldown", "true", "Refuse while the group is in its cooldown."),
    flag("--no-honor-cooldown -H", "HonorCooldown", "false", "Do it in any case; so it is when neither is given."),
)

PROCESSES = text("--processes", "ScalingProcesses", "The processes; all when left out.", "PROCESS[,PROCESS...]")

METRICS = text("--metrics -m", "Metrics", "The metrics; all when left out.", "METRIC[,METRIC...]")


def shape(*, required: bool) -> tuple[Option, ...]:
    """The options that making and updating a group share; *required* in the first."""
    return (
        text(
            "--availability-zones -z",
            "AvailabilityZones",
            "The zones; on the gateway also clouds, best first. Needed unless subnets are given.",
            "ZONE[,ZONE...]",
        ),
        text(
            "--launch-configuration -l",
            "LaunchConfigurationName",
            "The launch configuration.",
            "NAME",
            required=required,
        ),
        text("--max-size -M", "MaxSize", "The largest size.", "NUMBER", required=required),
        text("--min-size -m", "MinSize", "The smallest size.", "NUMBER", required=required),
        text("--desired-capacity", "DesiredCapacity", "The size to keep.", "NUMBER"),
        text("--default-cooldown", "DefaultCooldown", "Seconds after a scaling activity before the next.", "SECONDS"),
        text("--grace-period", "HealthCheckGracePeriod", "Seconds that a new VM has to become healthy.", "SECONDS"),
        text("--health-check-type", "HealthCheckType", "EC2 or ELB.", "TYPE"),
        text("--placement-group", "PlacementGroup", "The placement group.", "NAME"),
        text("--vpc-zone-identifier", "VPCZoneIdentifier", "Subnets, parted by commas.", "SUBNETS"),
        text("--termination-policies", "TerminationPolicies", "Which VM goes first; in order.", "POLICY[,POLICY...]"),
    )


INSTANCE = Line(
    "INSTANCE",
    "Instances",
    (
        Column("INSTANCE-ID", "InstanceId"),
        Column("AVAILABILITY-ZONE", "AvailabilityZone"),
        Column("STATE", "LifecycleState"),
        Column("STATUS", "HealthStatus"),
        Column("LAUNCH-CONFIG", "LaunchConfigurationName"),
    ),
)

AUTO_SCALING_GROUP = Line(
    "AUTO-SCALING-GROUP",
    "AutoScalingGroups",
    (
        Column("GROUP-NAME", "AutoScalingGroupName"),
        Column("LAUNCH-CONFIG", "LaunchConfigurationName"),
        Column("AVAILABILITY-ZONES", "AvailabilityZones"),
        Column("CREATED", "CreatedTime", long=True),
        Column("LOAD-BALANCERS", "LoadBalancerNames"),
        Column("HEALTH-CHECK", "HealthCheckType", long=True),
        Column("MIN-SIZE", "MinSize"),
        Column("MAX-SIZE", "MaxSize"),
        Column("DESIRED-CAPACITY", "DesiredCapacity"),
        Column("DEFAULT-COOLDOWN", "DefaultCooldown", long=True),
        Column("GRACE-PERIOD", "HealthCheckGracePeriod", long=True),
        Column("VPC-ZONE-IDENTIFIER", "VPCZoneIdentifier", long=True),
        Column("PLACEMENT-GROUP", "PlacementGroup", long=True),
        Column("GROUP-ARN", "AutoScalingGroupARN", long=True),
        Column("TERMINATION-POLICIES", "TerminationPolicies"),
    ),
    (
        INSTANCE,
        Line(
            "SUSPENDED-PROCESS",
            "SuspendedProcesses",
            (Column("PROCESS", "ProcessName"), Column("REASON", "SuspensionReason")),
        ),
        Line(
            "ENABLED-METRICS",
            "EnabledMetrics",
            (Column("METRIC", "Metric"), Column("GRANULARITY", "Granularity")),
        ),
        Line(
            "TAG",
            "Tags",
            (
                Column("RESOURCE-TYPE", "ResourceType"),
                Column("RESOURCE-ID", "ResourceId"),
                Column("KEY", "Key"),
                Column("VALUE", "Value"),
                Column("PROPAGATE-AT-LAUNCH", "PropagateAtLaunch"),
            ),
        ),
    ),
)

COMMANDS = (
    Command(
        "create-auto-scaling-group",
        "Create a group, which is then kept at its size.",
        "CreateAutoScalingGroup",
        GROUP,
        (
            *shape(required=True),
            text("--load-balancers", "LoadBalancerNames", "The load balancers.", "NAME[,NAME...]"),
            TAG,
        ),
        success="OK-Created AutoScalingGroup",
    ),
    Command(
        "update-auto-scaling-group",
        "Change a group; what is not given stays as it is.",
        "UpdateAutoScalingGroup",
        GROUP,
        shape(required=False),
        success="OK-Updated AutoScalingGroup",
    ),
    Command(
        "describe-auto-scaling-groups",
        "Describe groups and their instances: those named, or all.",
        "DescribeAutoScalingGroups",
        Argument("AutoScalingGroupNames", "GROUP", "The groups.", NAMES, many=True),
        (MAX_RECORDS,),
        (AUTO_SCALING_GROUP,),
        page_max=100,
    ),
    Command(
        "delete-auto-scaling-group",
        "Delete a group.",
        "DeleteAutoScalingGroup",
        GROUP,
        (flag("--force-delete -d", "ForceDelete", "true", "Terminate its instances, too."), FORCE),
        success="OK-Deleted AutoScalingGroup",
        question="Are you sure you want to delete this AutoScalingGroup? [Ny]",
    ),
    Command(
        "set-desired-capacity",
        "Say how many instances a group shall have.",
        "SetDesiredCapacity",
        GROUP,
        (text("--desired-capacity -c", "DesiredCapacity", "How many.", "NUMBER", required=True), *HONOR_COOLDOWN),
        success="OK-Desired Capacity Set",
    ),
    Command(
        "suspend-processes",
        "Suspend processes of a group.",
        "SuspendProcesses",
        GROUP,
        (PROCESSES,),
        success="OK-Processes Suspended",
    ),
    Command(
        "resume-processes",
        "Resume processes of a group.",
        "ResumeProcesses",
        GROUP,
        (PROCESSES,),
        success="OK-Processes Resumed",
    ),
    Command(
        "enable-metrics-collection",
        "Begin to collect metrics of a group.",
        "EnableMetricsCollection",
        GROUP,
        (text("--granularity -g", "Granularity", "How fine: 1Minute.", "GRANULARITY", required=True), METRICS),
        success="OK-Metrics Collection Enabled",
    ),
    Command(
        "disable-metrics-collection",
        "Stop collecting metrics of a group.",
        "DisableMetricsCollection",
        GROUP,
        (METRICS,),
        success="OK-Metrics Collection Disabled",
    ),
)
