"""Imports moto's CloudFormation and Systems Manager without the services whose models moto's own engine deploys with, which stacks.py
does not: to import them takes as long as all the rest. The first call to such a service imports it, as it does any other service.
"""

import importlib
import sys
import types

SERVICES = (
    "apigateway", "autoscaling", "awslambda", "batch", "datapipeline", "dynamodb", "ec2", "ecr", "ecs", "efs", "elb", "elbv2", "emr", "iot",
    "kinesis", "rds", "redshift", "route53", "sagemaker", "stepfunctions",
)


class Absent(types.ModuleType):
    """Stands in for a module, and has every name: a class that nothing is an instance of."""

    __path__ = ()

    def __getattr__(self, name):
        if name.startswith("__"):
            raise AttributeError(name)
        return type(name, (), {})


class Backends:
    """The backends of a service, which is imported when somebody asks for one."""

    def __init__(self, service):
        self._service = service

    def __getitem__(self, account):
        return getattr(importlib.import_module(f"moto.{self._service}"), f"{self._service}_backends")[account]


def without_services():
    import moto

    absent = {}
    for service in SERVICES:
        absent[f"moto.{service}"] = absent[f"moto.{service}.models"] = Absent(f"moto.{service}")
    absent["moto.ec2.models.core"] = Absent("moto.ec2.models.core")
    already = absent.keys() & sys.modules.keys()
    assert not already, already
    sys.modules.update(absent)
    try:
        importlib.import_module("moto.cloudformation")
        importlib.import_module("moto.ssm.models").ec2_backends = Backends("ec2")
    finally:
        for name in absent:
            del sys.modules[name]
            vars(moto).pop(name.split(".")[1], None)


without_services()
