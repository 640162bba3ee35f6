"""The inner loops, written as LLVM vectors of 16 floats.

LLVM makes of such a vector what the CPU has: one register of AVX-512, two of AVX2, four of NEON. Every output
is one chain of fused multiply-adds over the inputs, in their order. So a result depends neither on the width
of the registers nor on how many rows are computed together: a stream gets the same bits alone and in company.
"""

from __future__ import annotations

from typing import Any

from llvmlite import ir
from numba import types
from numba.core import cgutils
from numba.extending import intrinsic

__all__ = [
    "WIDTH",
    "dot_16",
    "power_of_two",
    "product_1x1",
    "product_1x4",
    "product_2x2",
    "product_4x1",
]

WIDTH = 16
"""Floats of an AVX-512 register, and of two or four smaller ones: every CPU's vectors divide it."""
_FLOAT, _INT16, _INT32, _INT64 = ir.FloatType(), ir.IntType(16), ir.IntType(32), ir.IntType(64)
_FLOATS, _INT16S, _INT32S = (ir.VectorType(kind, WIDTH) for kind in (_FLOAT, _INT16, _INT32))
_HALVES = ir.VectorType(ir.HalfType(), WIDTH)
_NOTHING = ir.Constant(_FLOATS, ir.Undefined)
_ZEROS = ir.Constant(_FLOATS, [0.0] * WIDTH)


def _pointer(context: Any, builder: Any, kind: Any, array: Any, at: Any) -> Any:
    return builder.gep(context.make_array(kind)(context, builder, array).data, [at])


def _fused(builder: Any) -> Any:
    kind = ir.FunctionType(_FLOATS, [_FLOATS] * 3)
    return cgutils.get_or_insert_function(builder.module, kind, f"llvm.fma.v{WIDTH}f32")


def _load(builder: Any, pointer: Any, kind: Any) -> Any:
    """Load 16 floats: float32, float16 (in an array of int16), or bfloat16 (in one of uint16)."""
    if kind == types.float32:
        return builder.load(builder.bitcast(pointer, _FLOATS.as_pointer()), align=4)
    if kind == types.int16:
        halves = builder.load(builder.bitcast(pointer, _HALVES.as_pointer()), align=2)
        return builder.fpext(halves, _FLOATS)
    upper = builder.load(builder.bitcast(pointer, _INT16S.as_pointer()), align=2)
    shifted = builder.shl(builder.zext(upper, _INT32S), ir.Constant(_INT32S, [16] * WIDTH))
    return builder.bitcast(shifted, _FLOATS)


def _spread(builder: Any, number: Any) -> Any:
    first = builder.insert_element(_NOTHING, number, _INT32(0))
    return builder.shuffle_vector(first, _NOTHING, ir.Constant(_INT32S, [0] * WIDTH))


def _product(rows: int, tiles: int) -> Any:
    """Make an intrinsic that multiplies `rows` rows with `tiles` tiles of 16 columns.

    `out[r, t * 16 + j] = sum over i of x[r, i] * w[t, i, j]`. Arrays are float32; `w` may also hold
    float16 as int16 or bfloat16 as uint16. Offsets and steps count elements.
    """

    @intrinsic
    def product(
        typing: Any,
        out: Any,
        out_at: Any,
        out_step: Any,
        x: Any,
        x_at: Any,
        x_step: Any,
        w: Any,
        w_at: Any,
        tile_step: Any,
        row_step: Any,
        count: Any,
    ) -> Any:
        signature = types.void(out, out_at, out_step, x, x_at, x_step, w, w_at, tile_step, row_step, count)
        kind = w.dtype

        def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
            out, out_at, out_step, x, x_at, x_step, w, w_at, tile_step, row_step, count = arguments
            kinds = signature.args

            def at(kind: Any, array: Any, start: Any, step: Any, index: int) -> Any:
                place = builder.add(start, builder.mul(step, _INT64(index)))
                return _pointer(context, builder, kind, array, place)

            xs = [at(kinds[3], x, x_at, x_step, row) for row in range(rows)]
            ws = [at(kinds[6], w, w_at, tile_step, tile) for tile in range(tiles)]
            outs = [
                builder.bitcast(
                    at(kinds[0], out, builder.add(out_at, _INT64(tile * WIDTH)), out_step, row),
                    _FLOATS.as_pointer(),
                )
                for row in range(rows)
                for tile in range(tiles)
            ]
            fused, before = _fused(builder), builder.block
            loop, done = (builder.append_basic_block(name) for name in ("products", "stores"))
            builder.branch(loop)
            builder.position_at_end(loop)
            index = builder.phi(_INT64)
            index.add_incoming(_INT64(0), before)
            sums = [builder.phi(_FLOATS) for _ in outs]
            place = builder.mul(index, row_step)
            columns = [_load(builder, builder.gep(pointer, [place]), kind) for pointer in ws]
            values = [_spread(builder, builder.load(builder.gep(pointer, [index]))) for pointer in xs]
            pairs = [(value, column) for value in values for column in columns]
            new = [builder.call(fused, [*pair, old]) for pair, old in zip(pairs, sums, strict=True)]
            following = builder.add(index, _INT64(1))
            index.add_incoming(following, loop)
            for old, result in zip(sums, new, strict=True):
                old.add_incoming(_ZEROS, before)
                old.add_incoming(result, loop)
            builder.cbranch(builder.icmp_signed("<", following, count), loop, done)
            builder.position_at_end(done)
            for result, pointer in zip(new, outs, strict=True):
                builder.store(result, pointer, align=4)
            return context.get_dummy_value()

        return signature, generate

    return product


# Eight registers of sums in AVX2, of sixteen: more would be spilled, fewer would wait for each other.
product_4x1 = _product(4, 1)
product_2x2 = _product(2, 2)
product_1x4 = _product(1, 4)
product_1x1 = _product(1, 1)


@intrinsic
def dot_16(typing: Any, a: Any, a_at: Any, b: Any, b_at: Any, blocks: Any) -> Any:
    """Sum the products of `blocks` (at least 1) blocks of 16 floats."""
    signature = types.float32(a, a_at, b, b_at, blocks)

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        a, a_at, b, b_at, blocks = arguments
        first = _pointer(context, builder, signature.args[0], a, a_at)
        second = _pointer(context, builder, signature.args[2], b, b_at)
        fused, before = _fused(builder), builder.block
        loop, done = (builder.append_basic_block(name) for name in ("products", "sum"))
        builder.branch(loop)
        builder.position_at_end(loop)
        index, total = builder.phi(_INT64), builder.phi(_FLOATS)
        index.add_incoming(_INT64(0), before)
        total.add_incoming(_ZEROS, before)
        place = builder.mul(index, _INT64(WIDTH))
        pair = [_load(builder, builder.gep(each, [place]), types.float32) for each in (first, second)]
        new = builder.call(fused, [*pair, total])
        following = builder.add(index, _INT64(1))
        index.add_incoming(following, loop)
        total.add_incoming(new, loop)
        builder.cbranch(builder.icmp_signed("<", following, blocks), loop, done)
        builder.position_at_end(done)
        return _sum(builder, new)

    return signature, generate


def _sum(builder: Any, vector: Any) -> Any:
    """Add up 16 floats, halves first."""
    half = WIDTH // 2
    while half:
        order = [lane + half if lane < half else lane for lane in range(WIDTH)]
        vector = builder.fadd(vector, builder.shuffle_vector(vector, _NOTHING, ir.Constant(_INT32S, order)))
        half //= 2
    return builder.extract_element(vector, _INT32(0))


@intrinsic
def power_of_two(typing: Any, shifted: Any) -> Any:
    """Return 2 ** n of a float32 that is 1.5 * 2 ** 23 + n, with n between -126 and 127."""
    signature = types.float32(types.float32)

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        # The lowest bits of such a number are n; moved into the exponent they make the power.
        bits = builder.shl(builder.bitcast(arguments[0], _INT32), _INT32(23))
        return builder.bitcast(builder.add(bits, _INT32(127 << 23)), _FLOAT)

    return signature, generate
