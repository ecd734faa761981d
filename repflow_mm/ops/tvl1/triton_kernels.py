"""The fused solver in Triton. Each program keeps one map on chip.

The pixels of a map are a flat tile, padded to a power of two; neighbours are fetched by
`tl.gather`. Two facts keep borders simple: forward differences are zero in the last
column and row, hence so are the dual fields, and the pixel "before the first column" is
the zero at the end of the row above. Everything outside the map stays zero.
"""

import triton
import triton.language as tl

# As in repflow_mm/ops/tvl1/reference.py; TINY is fp32's smallest normal number.
FLAT = tl.constexpr(1e-2)
TINY = tl.constexpr(1.1754943508222875e-38)


@triton.jit
def _prepare(f1, f2, kernels, h, w, i, inside):
    """Image gradient with replicated border, -1 / |g|^2, rho_c."""
    y, x = i // w, i % w
    gx = tl.zeros_like(i).to(tl.float32)
    gy = gx
    for r in tl.static_range(3):
        for c in tl.static_range(3):
            row = tl.minimum(tl.maximum(y + r - 1, 0), h - 1)
            column = tl.minimum(tl.maximum(x + c - 1, 0), w - 1)
            value = tl.load(f2 + row * w + column, mask=inside, other=0.0)
            gx += tl.load(kernels + 3 * r + c) * value
            gy += tl.load(kernels + 9 + 3 * r + c) * value
    square = gx * gx + gy * gy
    step = tl.where(inside, -1.0 / tl.where(square < FLAT, FLAT, square), 0.0)
    first = tl.load(f1 + i, mask=inside, other=0.0)
    rho = tl.load(f2 + i, mask=inside, other=0.0) - first
    return gx, gy, step, rho


@triton.jit
def _at(value, i, by):
    """The value `by` pixels ahead; zero outside the tile."""
    j = i + by
    there = (j >= 0) & (j < value.shape[0])
    found = tl.gather(value, tl.minimum(tl.maximum(j, 0), value.shape[0] - 1), 0)
    return tl.where(there, found, 0.0)


@triton.jit
def _clamp(s, bound):
    s = tl.where(s < -bound, -bound, s)  # NaN propagates
    return tl.where(s > bound, bound, s)


@triton.jit
def _primal(ux, uy, xx, xy, yx, yy, gx, gy, step, rho_c, bound, xb, xh, yb, yh, i, w):
    """Eqs. 2 to 4."""
    s = _clamp(step * (rho_c + gx * ux + gy * uy), bound)
    ux += s * gx + (xh * xx + xb * _at(xx, i, -1)) + (yh * xy + yb * _at(xy, i, -w))
    uy += s * gy + (xh * yx + xb * _at(yx, i, -1)) + (yh * yy + yb * _at(yy, i, -w))
    return ux, uy


@triton.jit
def _differences(u, i, w, has_right, has_below):
    qx = tl.where(has_right, _at(u, i, 1) - u, 0.0)
    qy = tl.where(has_below, _at(u, i, w) - u, 0.0)
    return qx, qy, tl.sqrt(qx * qx + qy * qy + TINY)


@triton.jit
def _dual(u, px, py, rate, i, w, has_right, has_below):
    """Eq. 5, for one component of the flow."""
    qx, qy, m = _differences(u, i, w, has_right, has_below)
    scale = 1.0 / (1.0 + rate * m)
    return (px + rate * qx) * scale, (py + rate * qy) * scale


@triton.jit
def _advance(ux, uy, xx, xy, yx, yy, field, i, w, place):
    """One iteration: the next state."""
    gx, gy, step, rho_c, bound, rate, xb, xh, yb, yh = field
    right, below = place
    ux, uy = _primal(
        ux, uy, xx, xy, yx, yy, gx, gy, step, rho_c, bound, xb, xh, yb, yh, i, w
    )
    xx, xy = _dual(ux, xx, xy, rate, i, w, right, below)
    yx, yy = _dual(uy, yx, yy, rate, i, w, right, below)
    return ux, uy, xx, xy, yx, yy


@triton.jit
def _weights(div_x, div_y, channel, div_stride, theta):
    xb = theta * tl.load(div_x + channel * div_stride)
    xh = theta * tl.load(div_x + channel * div_stride + 1)
    yb = theta * tl.load(div_y + channel * div_stride)
    yh = theta * tl.load(div_y + channel * div_stride + 1)
    return xb, xh, yb, yh


@triton.jit
def tvl1_fwd_kernel(
    f1,
    f2,
    tau,
    lam,
    theta,
    div_x,
    div_y,
    kernels,
    u_x,
    u_y,
    channels,
    h,
    w,
    n_iters,
    div_stride,
    BLOCK: tl.constexpr,
):
    """Flow of one map; one program per map."""
    map_ = tl.program_id(0)
    n = h * w
    start = map_.to(tl.int64) * n
    i = tl.arange(0, BLOCK)
    inside = i < n
    has_right = inside & (i % w + 1 < w)
    has_below = i + w < n
    theta_ = tl.load(theta)
    bound, rate = tl.load(lam) * theta_, tl.load(tau) / theta_
    xb, xh, yb, yh = _weights(div_x, div_y, map_ % channels, div_stride, theta_)
    gx, gy, step, rho = _prepare(f1 + start, f2 + start, kernels, h, w, i, inside)
    rho = tl.where(bound == bound, rho, bound)  # a NaN clamps nothing
    field = gx, gy, step, rho, bound, rate, xb, xh, yb, yh
    place = has_right, has_below
    ux = tl.zeros([BLOCK], tl.float32)
    uy = ux
    xx, xy, yx, yy = ux, ux, ux, ux
    for _ in range(n_iters):
        ux, uy, xx, xy, yx, yy = _advance(ux, uy, xx, xy, yx, yy, field, i, w, place)
    tl.store(u_x + start + i, ux, mask=inside)
    tl.store(u_y + start + i, uy, mask=inside)


@triton.jit
def _store_state(at, i, BLOCK: tl.constexpr, ux, uy, xx, xy, yx, yy):
    tl.store(at + i, ux)
    tl.store(at + BLOCK + i, uy)
    tl.store(at + 2 * BLOCK + i, xx)
    tl.store(at + 3 * BLOCK + i, xy)
    tl.store(at + 4 * BLOCK + i, yx)
    tl.store(at + 5 * BLOCK + i, yy)
    tl.debug_barrier()  # other threads may load what this one stored


@triton.jit
def _load_state(at, i, BLOCK: tl.constexpr):
    ux, uy = tl.load(at + i), tl.load(at + BLOCK + i)
    xx, xy = tl.load(at + 2 * BLOCK + i), tl.load(at + 3 * BLOCK + i)
    yx, yy = tl.load(at + 4 * BLOCK + i), tl.load(at + 5 * BLOCK + i)
    return ux, uy, xx, xy, yx, yy


@triton.jit
def _adjoint_dual(du, dpx, dpy, u, px, py, rate, weights, i, w, place):
    """Propagate the adjoint of the next state's u in two ways.

    To the adjoint of this state's p; and through the dual step that produced this
    state, to its contribution to the adjoint of this state's u. Also gives the
    parameters' sums.
    """
    xb, xh, yb, yh = weights
    has_right, has_below = place
    right, below = _at(du, i, 1), _at(du, i, w)
    qx, qy, m = _differences(u, i, w, has_right, has_below)
    scale = 1.0 / (1.0 + rate * m)
    nx = (dpx + xh * du + xb * right) * scale
    ny = (dpy + yh * du + yb * below) * scale
    d_scale = -(nx * px + ny * py)
    d_rate = tl.sum(nx * qx + ny * qy + m * d_scale)
    t = rate * d_scale / m
    dqx = tl.where(has_right, rate * nx + t * qx, 0.0)
    dqy = tl.where(has_below, rate * ny + t * qy, 0.0)
    # The adjoint of the differences.
    out = (_at(dqx, i, -1) - dqx) + (_at(dqy, i, -w) - dqy)
    sums = tl.sum(right * px), tl.sum(du * px), tl.sum(below * py), tl.sum(du * py)
    return nx, ny, out, d_rate, sums[0], sums[1], sums[2], sums[3]


@triton.jit
def _filter_adjoint(dg, kernels, h, w, i, inside):
    """The transposed filter, including contributions from the replicated border."""
    y, x = i // w, i % w
    out = tl.zeros_like(dg)
    for r in tl.static_range(3):
        for c in tl.static_range(3):
            weight = tl.load(kernels + 3 * r + c)
            # A tap reaches this pixel from the pixel it is centred on and, at the
            # border, from the border pixel itself (the tap that points outwards).
            for border_y in tl.static_range(2):
                for border_x in tl.static_range(2):
                    sy = y + 1 - r
                    sx = x + 1 - c
                    valid = inside
                    if border_y == 1:
                        sy = y
                        edge = tl.where(r == 0, 0, h - 1)
                        valid = valid & (r != 1) & (y == edge)
                    if border_x == 1:
                        sx = x
                        edge = tl.where(c == 0, 0, w - 1)
                        valid = valid & (c != 1) & (x == edge)
                    valid = valid & (sy >= 0) & (sy < h) & (sx >= 0) & (sx < w)
                    j = tl.where(valid, sy * w + sx, 0)
                    out += weight * tl.where(valid, tl.gather(dg, j, 0), 0.0)
    return out


@triton.jit
def tvl1_bwd_kernel(
    g_x,
    g_y,
    f1,
    f2,
    tau,
    lam,
    theta,
    div_x,
    div_y,
    kernels,
    d_f1,
    d_f2,
    sums,
    scratch,
    maps,
    channels,
    h,
    w,
    n_iters,
    segment,
    scratch_stride,
    div_stride,
    BLOCK: tl.constexpr,
):
    """Gradients of the maps, shared out over as many programs as have scratch space.

    States 0, segment, 2 segment, ... are kept; those between are recomputed.
    """
    n = h * w
    i = tl.arange(0, BLOCK)
    inside = i < n
    has_right = inside & (i % w + 1 < w)
    has_below = i + w < n
    theta_ = tl.load(theta)
    bound, rate = tl.load(lam) * theta_, tl.load(tau) / theta_
    states = scratch + tl.program_id(0).to(tl.int64) * scratch_stride
    kept = states + segment * 6 * BLOCK
    segments = (n_iters + segment - 1) // segment
    zero = tl.zeros([BLOCK], tl.float32)
    first, programs = tl.program_id(0), tl.num_programs(0)
    for turn in range(tl.cdiv(maps - first, programs)):
        map_ = first + turn * programs
        start = map_.to(tl.int64) * n
        weights = _weights(div_x, div_y, map_ % channels, div_stride, theta_)
        xb, xh, yb, yh = weights
        gx, gy, step, rho_c = _prepare(f1 + start, f2 + start, kernels, h, w, i, inside)
        rho_c = tl.where(bound == bound, rho_c, bound)
        field = gx, gy, step, rho_c, bound, rate, xb, xh, yb, yh
        place = has_right, has_below
        ux, uy, xx, xy, yx, yy = zero, zero, zero, zero, zero, zero
        for k in range(segments * segment):
            if k % segment == 0:
                at = kept + (k // segment) * 6 * BLOCK
                _store_state(at, i, BLOCK, ux, uy, xx, xy, yx, yy)
            ux, uy, xx, xy, yx, yy = _advance(
                ux, uy, xx, xy, yx, yy, field, i, w, place
            )
        dux = tl.load(g_x + start + i, mask=inside, other=0.0)
        duy = tl.load(g_y + start + i, mask=inside, other=0.0)
        dxx, dxy, dyx, dyy = zero, zero, zero, zero
        dgx, dgy, dstep, drho = zero, zero, zero, zero
        nothing = tl.full([], 0.0, tl.float64)  # fp64: these sums cancel
        d_bound, d_rate = nothing, nothing
        d_xb, d_xh, d_yb, d_yh = nothing, nothing, nothing, nothing
        for back in range(segments):
            s = segments - 1 - back
            ux, uy, xx, xy, yx, yy = _load_state(kept + s * 6 * BLOCK, i, BLOCK)
            for k in range(segment):
                _store_state(states + k * 6 * BLOCK, i, BLOCK, ux, uy, xx, xy, yx, yy)
                ux, uy, xx, xy, yx, yy = _advance(
                    ux, uy, xx, xy, yx, yy, field, i, w, place
                )
            for past in range(segment):
                k = segment - 1 - past
                if s * segment + k < n_iters:
                    at = states + k * 6 * BLOCK
                    ux, uy, xx, xy, yx, yy = _load_state(at, i, BLOCK)
                    dxx, dxy, from_x, r0, a0, b0, c0, e0 = _adjoint_dual(
                        dux, dxx, dxy, ux, xx, xy, rate, weights, i, w, place
                    )
                    dyx, dyy, from_y, r1, a1, b1, c1, e1 = _adjoint_dual(
                        duy, dyx, dyy, uy, yx, yy, rate, weights, i, w, place
                    )
                    rho = rho_c + gx * ux + gy * uy
                    free = step * rho
                    clamped = _clamp(free, bound)
                    ds = dux * gx + duy * gy
                    is_free = clamped == free
                    d_bound += tl.sum(
                        tl.where(is_free, 0.0, tl.where(free > 0, ds, -ds))
                    )
                    ds = tl.where(is_free, ds, 0.0)
                    dr = ds * step
                    dstep += ds * rho
                    drho += dr
                    dgx += clamped * dux + dr * ux
                    dgy += clamped * duy + dr * uy
                    dux += dr * gx + from_x
                    duy += dr * gy + from_y
                    if s * segment + k > 0:  # no step produced the first state
                        d_rate += r0 + r1
                        d_xb += a0 + a1
                        d_xh += b0 + b1
                        d_yb += c0 + c1
                        d_yh += e0 + e1
        square = gx * gx + gy * gy
        d = tl.where(square < FLAT, 0.0, 2.0 * dstep * step * step)
        dgx += d * gx
        dgy += d * gy
        to_f2 = _filter_adjoint(dgx, kernels, h, w, i, inside)
        to_f2 += _filter_adjoint(dgy, kernels + 9, h, w, i, inside)
        tl.store(d_f1 + start + i, -drho, mask=inside)
        tl.store(d_f2 + start + i, drho + to_f2, mask=inside)
        tl.store(sums + map_ * 6, d_bound)
        tl.store(sums + map_ * 6 + 1, d_rate)
        tl.store(sums + map_ * 6 + 2, d_xb)
        tl.store(sums + map_ * 6 + 3, d_xh)
        tl.store(sums + map_ * 6 + 4, d_yb)
        tl.store(sums + map_ * 6 + 5, d_yh)
