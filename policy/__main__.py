"""The policy pack, run by Pulumi in this folder: `pulumi preview --policy-pack policy`."""

from pulumi_policy import PolicyPack
from rules.pack import policies

PolicyPack("streaming-etl", policies())
