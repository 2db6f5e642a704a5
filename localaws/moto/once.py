"""What moto and its libraries do anew for each request, although it comes out the same, or although nobody wants it."""

import functools
import string

import xmltodict
import yaml
from moto import backends
from moto.core import errors, responses, utils
from moto.moto_api._internal.moto_random import MotoRandom
from moto.moto_server import werkzeug_app


def install():
    modules = frozenset(backends.list_of_moto_modules())
    backends.list_of_moto_modules = lambda: modules  # it looks into each folder of moto
    responses.method_names_from_class = functools.cache(responses.method_names_from_class)
    utils.service_name_from_moto_package_name = functools.cache(utils.service_name_from_moto_package_name)
    errors.ErrorLookupFactory = functools.cache(errors.ErrorLookupFactory)  # it remembers, if it is asked again
    application = werkzeug_app.DomainDispatcherApplication
    application.get_backend_for_host = functools.lru_cache(maxsize=1024)(application.get_backend_for_host)
    xmltodict._validate_name = functools.lru_cache(maxsize=4096)(xmltodict._validate_name)
    yaml.safe_load = functools.partial(yaml.load, Loader=yaml.CSafeLoader)  # a tenth of a second for a runbook without C
    MotoRandom.get_random_string = get_random_string


def get_random_string(random, length=20, include_digits=True, lower_case=False):
    """Stands in for MotoRandom.get_random_string, which chooses each character by a call of its own."""
    pool = string.ascii_letters + string.digits * include_digits
    text = "".join(random.choices(pool, k=length))
    return text.lower() if lower_case else text


def create_backend_app(service):
    """Is moto's, without the pages that help a developer in a browser."""
    application = werkzeug_app.create_backend_app(service)
    application.debug = False
    application.config["PROPAGATE_EXCEPTIONS"] = True  # the server shows them
    return application
