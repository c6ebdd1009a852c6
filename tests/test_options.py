"""Options: their bounds, their flags, and what a choice of method takes along."""

import copy
import dataclasses
import math
from typing import Annotated, get_args, get_origin, get_type_hints

import pytest
from absl import flags
from ml_collections import config_flags

from jaxssl.bounds import check_section
from jaxssl.config import Config, from_dict, to_dict, with_method, with_options
from jaxssl.methods import METHODS
from jaxssl.types import InputError
from jaxssl.validate import get_option, validate
from launch.config_files import NAMES, load

CASES = [
    f"{section}.{field.name}"
    for section, options in vars(Config()).items()
    for field in dataclasses.fields(options)
]
METHOD_CASES = [
    (name, f"method.{field.name}")
    for name, recipe in METHODS.items()
    for field in dataclasses.fields(recipe.options)
]


def overridden(config, name, text):
    """The value of an option after `--config.NAME=TEXT`."""
    values, argv = flags.FlagValues(), ["verb", f"--config.{name}={text}"]
    config_flags.DEFINE_config_dataclass("config", config, flag_values=values, sys_argv=argv)
    values(argv)
    return get_option(values.config, name)


@pytest.mark.parametrize(
    ("name", "text", "value"),
    [
        ("augment.noise", "0.8", 0.8),
        ("encoder.hidden", "(32,16)", (32, 16)),
        ("encoder.norm", "none", "none"),
        ("method.n_prototypes", "(5,)", (5,)),
        ("method.hard_codes", "true", True),
        ("sweep.arms", "('scratch','swav')", ("scratch", "swav")),
        ("sweep.shares", "(0.1,1.0)", (0.1, 1.0)),
        ("run.seeds", "7", 7),
    ],
)
def test_a_flag_overrides_an_option_of_every_type(name, text, value):
    assert overridden(Config(), name, text) == value


@pytest.mark.parametrize("name", CASES)
def test_every_option_can_be_set_to_its_default_by_a_flag(name):
    default = get_option(Config(), name)
    assert overridden(Config(), name, str(default)) == default


@pytest.mark.parametrize(("method", "name"), METHOD_CASES)
def test_so_can_those_of_every_method(method, name):
    config = with_method(Config(), method)
    assert overridden(config, name, str(get_option(config, name))) == get_option(config, name)


@pytest.mark.parametrize(
    ("name", "value", "finding"),
    [
        ("augment.mask_rate", 1.5, r"`augment\.mask_rate=1\.5` is out of its range; .* 0 \.\. 1"),
        ("method.epsilon", 1e-4, r"0\.001 \.\. 1,000"),
        ("optimizer.name", "sgd", "choose one of adam, adamw, lars"),
        ("encoder.hidden", (32, 0), r"`encoder\.hidden=\(32, 0\)` is out of its range"),
        ("encoder.hidden", (32, 1.5), "of another type; pass int"),
        ("run.seeds", "3", "of another type; pass int"),
        ("run.seeds", True, "of another type; pass int"),
        ("method.hard_codes", 1, "of another type; pass bool"),
        ("augment.noise", "loud", "of another type; pass float"),
        ("sweep.arms", (), r"`sweep\.arms` is empty"),
    ],
)
def test_a_value_outside_its_declaration_is_refused_with_what_is_allowed(name, value, finding):
    with pytest.raises(InputError, match=finding):
        validate(with_options(Config(), {name: value}))


def numbers_in(declared, name):
    """The declarations of the numbers of an option, as it stands and inside a tuple."""
    if get_origin(declared) is tuple:
        return numbers_in(get_args(declared)[0], name)
    plain = get_args(declared)[0] if get_origin(declared) is Annotated else declared
    return [(name, declared)] if plain in (int, float) else []


SECTIONS = [("method", type(recipe.options())) for recipe in METHODS.values()]
SECTIONS += [(n, type(options)) for n, options in vars(Config()).items() if n != "method"]
NUMBERS = [
    (section, kind, *number)
    for section, kind in SECTIONS
    for option, declared in get_type_hints(kind, include_extras=True).items()
    for number in numbers_in(declared, option)
]


@pytest.mark.parametrize(("section", "kind", "option", "declared"), NUMBERS)
def test_every_number_has_a_range_and_what_is_outside_is_one_sentence(
    section, kind, option, declared
):
    assert get_origin(declared) is Annotated, "declared without a range"
    low, high = get_args(declared)[1][:2]
    assert math.isfinite(low)
    assert math.isfinite(high)
    is_list = isinstance(getattr(kind(), option), tuple)
    outside = [math.nan, math.inf, -1e300, low - 1, high * 2, True, "3", None, [3]]
    for value in [*outside, low] if get_args(declared)[1].is_open else outside:
        options = kind()
        setattr(options, option, (value,) if is_list else value)
        with pytest.raises(InputError, match=rf"^`{section}\.{option}=.*; (choose|pass) ") as error:
            check_section(section, options)
        assert "\n" not in str(error.value)


def test_a_scalar_in_the_place_of_a_list_is_refused():
    for name, value in (("sweep.shares", 0.1), ("sweep.shares", "0.1"), ("encoder.hidden", 32)):
        with pytest.raises(InputError, match=rf"`{name}={value}` is of another type; pass tuple"):
            validate(with_options(Config(), {name: value}))


def test_a_misspelt_option_is_refused_and_not_set_beside_the_others():
    config = Config()
    with pytest.raises(InputError, match=r"no option 'n_step'; did you mean n_steps\?"):
        config.pretrain.n_step = 5
    with pytest.raises(InputError, match=r"no option 'pretran'; did you mean pretrain\?"):
        config.pretran = config.pretrain
    with pytest.raises(InputError, match="SwAVConfig has no option 'name'"):
        config.method.name = "byol"
    assert copy.deepcopy(config) == config == Config()


def test_something_else_in_the_place_of_a_section_is_refused():
    for section, value, finding in (
        ("pretrain", {"n_steps": 3}, r"`config\.pretrain` is of type dict; pass a PretrainConfig"),
        ("method", Config().pretrain, r"`config\.method` is of type PretrainConfig; pass a Method"),
    ):
        config = Config()
        setattr(config, section, value)
        with pytest.raises(InputError, match=finding):
            validate(config)


def test_defaults_and_whole_numbers_for_fractions_are_allowed():
    whole = with_options(Config(), {"augment.noise": 1, "run.memory_gb": 2})
    validate(whole)
    assert (whole.augment.noise, whole.run.memory_gb) == (1, 2), "kept as they are"
    for name in METHODS:
        validate(with_method(Config(), name))


def test_every_declaration_of_an_option_is_one_that_flags_can_parse():
    plain = (bool, int, float, str)
    for section in vars(Config()).values():
        declared = get_type_hints(type(section))
        for field in dataclasses.fields(section):
            kind = declared[field.name]
            assert field.type in plain or field.type.__origin__ is tuple, (section, kind)


def test_a_stored_method_comes_first_by_name_and_is_read_back():
    for name in METHODS:
        config = with_method(Config(), name)
        stored = to_dict(config)
        assert next(iter(stored["method"].items())) == ("name", name)
        assert from_dict(stored) == config


def test_a_chosen_method_brings_its_options_views_and_arms_and_leaves_the_rest():
    config = with_options(
        Config(),
        {"sweep.arms": ("scratch", "swav", "swav+selftrain"), "augment.noise": 0.5, "run.seeds": 3},
    )
    chosen = with_method(config, "vime")
    assert chosen.method == METHODS["vime"].options()
    assert chosen.sweep.arms == ("scratch", "vime", "vime+selftrain")
    assert (chosen.augment.noise, chosen.augment.n_views, chosen.augment.mask_rate) == (0, 1, 0.3)
    assert chosen.run.seeds == 3
    assert config.method.name == "swav"
    with pytest.raises(InputError, match="unknown method 'swan'; choose one of swav, simclr"):
        with_method(config, "swan")


def test_every_config_that_comes_along_is_valid_and_is_stored_as_it_is():
    assert {"default", "demo", "demo_synthetic", "study_protocol"} < set(NAMES)
    for name in NAMES:
        config = load(name)
        validate(config)
        assert from_dict(to_dict(config)) == config, name
