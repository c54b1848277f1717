"""Entry point of the policy pack, which Pulumi runs in this folder."""

from pulumi_policy import PolicyPack
from rules.pack import policies

PolicyPack("streaming-etl", policies())
