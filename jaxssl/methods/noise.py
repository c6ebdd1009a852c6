"""Standard normal numbers for augmentations, drawn and used in one pass over the batch.

On a CPU `jax.random.normal` writes its random bits to memory between the rounds of the generator.
Here every number follows from its own position, in registers, so that the compiler fuses the draw
into the addition that uses it (docs/performance.md, `draws`).
"""

import math

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax
from jaxtyping import Array, Float, PRNGKeyArray, UInt32

N_ROUNDS = 13  # the fewest that pass BigCrush (Salmon et al. 2011, table 2)
ROTATIONS = (13, 15, 26, 6, 17, 29, 16, 24)
KEY_PARITY = 0x1BD11BDA

# sin(2 pi s) / s as a polynomial in s ** 2: Taylor coefficients, error below 1e-7 for |s| <= 1/4
SINE = tuple((-1) ** k * (2 * math.pi) ** (2 * k + 1) / math.factorial(2 * k + 1) for k in range(6))


ROOT_HALF_BITS = int(np.float32(math.sqrt(0.5)).view(np.int32))
# log1p(y) / y for sqrt(1/2) - 1 <= y < sqrt(2) - 1, error below 1e-7
LOG1P = tuple(
    np.polynomial.Chebyshev.interpolate(
        lambda y: np.log1p(y) / y, 8, [math.sqrt(0.5) - 1, math.sqrt(2) - 1]
    )
    .convert(kind=np.polynomial.Polynomial)
    .coef.tolist()
)


def standard_normal(key: PRNGKeyArray, shape: tuple[int, ...]) -> Float[Array, "..."]:
    """Independent N(0, 1) numbers, float32, by Box and Muller (1958).

    Their largest size is 5.8; a shape may have up to 2**32 rows and as many columns.
    """
    matrix = (math.prod(shape[:-1]), shape[-1])  # rows counted over all leading axes
    row, column = (lax.broadcasted_iota(jnp.uint32, matrix, axis).reshape(shape) for axis in (0, 1))
    radius_bits, angle_bits = threefry2x32(jax.random.bits(key, (2,)), column, row)
    # 23 bits and a half: never 0, whose logarithm is infinite
    uniform = ((radius_bits >> 9).astype(jnp.float32) + 0.5) * 2.0**-23
    return jnp.sqrt(-2 * _log(uniform)) * _cosine(angle_bits)


def threefry2x32(
    key: UInt32[Array, "2"],
    first: UInt32[Array, "*shape"],
    second: UInt32[Array, "*shape"],
    n_rounds: int = N_ROUNDS,
) -> tuple[UInt32[Array, "*shape"], UInt32[Array, "*shape"]]:
    """Two random words of every two-word counter: Threefry-2x32, rounds unrolled.

    Salmon et al. 2011, doi 10.1145/2063384.2063405.
    """
    schedule = (key[0], key[1], key[0] ^ key[1] ^ jnp.uint32(KEY_PARITY))
    first, second = first + schedule[0], second + schedule[1]
    for i in range(n_rounds):
        rotation = ROTATIONS[i % len(ROTATIONS)]
        first = first + second
        second = (second << rotation | second >> (32 - rotation)) ^ first
        if i % 4 == 3:
            injection = i // 4 + 1
            first = first + schedule[injection % 3]
            second = second + schedule[(injection + 1) % 3] + jnp.uint32(injection)
    return first, second


def _log(x: Float[Array, "*shape"]) -> Float[Array, "*shape"]:
    """Natural logarithm of normal numbers; a library's also minds zero, infinity and NaN."""
    bits = lax.bitcast_convert_type(x, jnp.int32)
    exponent = (bits - ROOT_HALF_BITS) >> 23  # x = 2 ** exponent * m, sqrt(1/2) <= m < sqrt(2)
    excess = lax.bitcast_convert_type(bits - (exponent << 23), jnp.float32) - 1
    polynomial = jnp.full_like(x, LOG1P[-1])
    for coefficient in reversed(LOG1P[:-1]):
        polynomial = polynomial * excess + coefficient
    return exponent.astype(jnp.float32) * math.log(2) + polynomial * excess


def _cosine(turns: UInt32[Array, "*shape"]) -> Float[Array, "*shape"]:
    """cos(2 pi turns / 2**32): a library's cosine would be called number by number."""
    signed = turns.astype(jnp.int32).astype(jnp.float32) * 2.0**-32  # in [-1/2, 1/2)
    s = 0.25 - jnp.abs(signed)
    squared = s * s
    polynomial = jnp.full_like(s, SINE[-1])
    for coefficient in reversed(SINE[:-1]):
        polynomial = polynomial * squared + coefficient
    return polynomial * s
