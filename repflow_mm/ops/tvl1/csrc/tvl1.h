// One TV-L1 problem, forward and backward, on one map: the fused counterpart of
// repflow_mm/ops/tvl1/reference.py, where the equations are.
//
// Included once for each instruction set, inside a namespace of its own. Maps are flat
// arrays of n = h * w pixels with a margin on both sides. Two facts keep the loops free of
// rows: forward differences are zero in the last column and row, so the dual fields are
// too, and "the pixel before the first column" is the zero at the end of the row above.

template <typename T>
class Solver {
  public:
    explicit Solver(const Arguments<T> &a)
        : a(a), w(a.w), n(a.h * a.w), wide(a.w + 2), margin(up(a.w + 1)),
          size(up(n) + 2 * margin), wide_margin(up(2 * wide + 2)),
          wide_size(up((a.h + 2) * wide) + 2 * wide_margin), bound(a.lam * a.theta),
          rate(a.tau / a.theta) {}

    // Numbers of scratch space that a thread needs, zero before its first map: margins
    // are never written.
    size_t scratch(bool backward) const {
        size_t arrays = CONSTANTS + STATE;
        if (backward) {
            const int k = segment();
            arrays = CONSTANTS + STATE * (size_t)(k + (a.n_iters - 1) / k) + ADJOINT;
        }
        return arrays * size + WIDE * wide_size;
    }

    void use(T *scratch) {
        wides = scratch + wide_margin;
        constants = scratch + WIDE * wide_size;
        T *column = at(constants, COLUMN);
        for (long i = 0; i < n; ++i) column[i] = (i + 1) % w != 0;
    }

    void forward(long map) {
        prepare(map);
        T *state = constants + CONSTANTS * size;
        clear(state, STATE);
        for (int k = 0; k < a.n_iters; ++k) {
            primal(state, state);
            if (k + 1 < a.n_iters) dual(state, state);
        }
        std::copy_n(at(state, 0), n, a.u_x + map * n);
        std::copy_n(at(state, 1), n, a.u_y + map * n);
    }

    void backward(long map) {
        prepare(map);
        // States 0, k, 2k, ... are kept; those between are computed again, a segment
        // at a time, last segment first.
        const int k = segment();
        T *states = constants + CONSTANTS * size;
        T *kept = states + STATE * size * k;
        const int segments = (a.n_iters - 1) / k;  // but the last
        T *adjoint = kept + STATE * size * segments;
        clear(adjoint, ADJOINT);
        std::copy_n(a.g_x + map * n, n, at(adjoint, DU));
        std::copy_n(a.g_y + map * n, n, at(adjoint, DU + 1));
        totals = {};
        clear(states, STATE);
        for (int s = 0; s < segments; ++s) {
            std::copy_n(states, STATE * size, kept + STATE * size * s);
            for (int i = 0; i < k; ++i) {
                primal(states, states);
                dual(states, states);
            }
        }
        for (int s = segments; s >= 0; --s) {
            const int first = s * k, last = std::min(first + k, a.n_iters);
            if (s < segments) std::copy_n(kept + STATE * size * s, STATE * size, states);
            for (int i = first; i + 1 < last; ++i) {
                T *here = states + STATE * size * (i - first);
                primal(here, here + STATE * size);
                dual(here, here + STATE * size);
            }
            for (int i = last - 1; i >= first; --i) {
                T *here = states + STATE * size * (i - first);
                if (i > 0) adjoint_dual(here, adjoint);
                adjoint_primal(here, adjoint);
            }
        }
        finish(map, adjoint);
    }

  private:
    enum { GX, GY, STEP, RHO, COLUMN, CONSTANTS };  // arrays that iterations share
    enum { UX, UY, P, STATE = 6 };                  // u (x, y), p (x of u_x, y of u_x, ...)
    enum { DU, DP = 2, DQ = 6, DG = 10, DSTEP = 12, DRHO, ADJOINT };
    enum { PADDED, WIDE_X, WIDE_Y, WIDE };          // maps with a border, w + 2 wide

    const Arguments<T> &a;
    const long w, n, wide, margin, size, wide_margin, wide_size;
    const T bound, rate;
    T *constants = nullptr, *wides = nullptr;
    T x_before, x_here, y_before, y_here;
    struct { double bound, rate, x_before, x_here, y_before, y_here; } totals;

    static long up(long count) { return (count + 15) / 16 * 16; }
    T *at(T *block, int array) const { return block + array * size + margin; }
    void clear(T *block, int arrays) const { std::fill_n(block, arrays * size, T(0)); }

    // Iterations whose states are in memory at once: all while they fit in a core's
    // cache, else the square root, so that kept and recomputed states are as many.
    int segment() const {
        const size_t cache = 768 * 1024;
        if (STATE * size * sizeof(T) * a.n_iters <= cache) return a.n_iters;
        return std::max(1, (int)std::ceil(std::sqrt((double)a.n_iters)));
    }

    // Image gradient (Eq. 8), -1 / |g|^2 and rho_c.
    void prepare(long map) {
        const long channel = map % a.channels;
        x_before = a.div_x[channel * a.div_stride];
        x_here = a.div_x[channel * a.div_stride + 1];
        y_before = a.div_y[channel * a.div_stride];
        y_here = a.div_y[channel * a.div_stride + 1];
        const T *f1 = a.f1 + map * n, *f2 = a.f2 + map * n;
        T *padded = wides + PADDED * wide_size;
        T *wide_x = wides + WIDE_X * wide_size, *wide_y = wides + WIDE_Y * wide_size;
        for (long y = 0; y < a.h + 2; ++y) {
            const T *row = f2 + std::min(std::max(y - 1, 0L), a.h - 1) * w;
            T *to = padded + y * wide;
            to[0] = row[0];
            std::copy_n(row, w, to + 1);
            to[w + 1] = row[w - 1];
        }
        T c[18];
        std::copy_n(a.kernels, 18, c);
        const long wide = this->wide, all = a.h * wide;
        LOOP
        for (long i = 0; i < all; ++i) {
            const T *p = padded + i, *q = p + wide, *r = q + wide;
            wide_x[i] = c[0] * p[0] + c[1] * p[1] + c[2] * p[2] + c[3] * q[0] +
                        c[4] * q[1] + c[5] * q[2] + c[6] * r[0] + c[7] * r[1] +
                        c[8] * r[2];
            wide_y[i] = c[9] * p[0] + c[10] * p[1] + c[11] * p[2] + c[12] * q[0] +
                        c[13] * q[1] + c[14] * q[2] + c[15] * r[0] + c[16] * r[1] +
                        c[17] * r[2];
        }
        T *gx = at(constants, GX), *gy = at(constants, GY);
        T *step = at(constants, STEP), *rho = at(constants, RHO);
        for (long y = 0; y < a.h; ++y) {
            std::copy_n(wide_x + y * wide, w, gx + y * w);
            std::copy_n(wide_y + y * wide, w, gy + y * w);
        }
        LOOP
        for (long i = 0; i < n; ++i) {
            const T square = gx[i] * gx[i] + gy[i] * gy[i];
            step[i] = T(-1) / (square < T(FLAT) ? T(FLAT) : square);
            rho[i] = f2[i] - f1[i];
        }
        if (bound != bound) std::fill_n(rho, n, bound);  // a NaN clamps nothing
    }

    // Eqs. 2 to 4: u of the next state from u and p of this one.
    void primal(T *from, T *to) const {
        const T *gx = at(constants, GX), *gy = at(constants, GY);
        const T *step = at(constants, STEP), *rho_c = at(constants, RHO);
        const T *ux = at(from, UX), *uy = at(from, UY);
        const T *xx = at(from, P), *xy = at(from, P + 1);
        const T *yx = at(from, P + 2), *yy = at(from, P + 3);
        T *vx = at(to, UX), *vy = at(to, UY);
        const T b = bound, xb = a.theta * x_before, xh = a.theta * x_here;
        const T yb = a.theta * y_before, yh = a.theta * y_here;
        const long n = this->n, w = this->w;
        LOOP
        for (long i = 0; i < n; ++i) {
            T s = step[i] * (rho_c[i] + gx[i] * ux[i] + gy[i] * uy[i]);
            s = -b > s ? -b : s;  // in this order a NaN stays
            s = b < s ? b : s;
            vx[i] = ux[i] + s * gx[i] + (xh * xx[i] + xb * xx[i - 1]) +
                    (yh * xy[i] + yb * xy[i - w]);
            vy[i] = uy[i] + s * gy[i] + (xh * yx[i] + xb * yx[i - 1]) +
                    (yh * yy[i] + yb * yy[i - w]);
        }
    }

    // Eq. 5: p of the next state from p of this one and u of the next. Both fields in one
    // loop, for they share a division: with the roots, divisions are what limits it.
    void dual(T *from, T *to) const {
        dual_rows<false>(from, to, 0, n - w);
        dual_rows<true>(from, to, n - w, n);
    }

    template <bool LAST_ROW>
    void dual_rows(T *from, T *to, long first, long last) const {
        const T *ux = at(to, UX), *uy = at(to, UY), *column = at(constants, COLUMN);
        const T *xx = at(from, P), *xy = at(from, P + 1);
        const T *yx = at(from, P + 2), *yy = at(from, P + 3);
        T *next_xx = at(to, P), *next_xy = at(to, P + 1);
        T *next_yx = at(to, P + 2), *next_yy = at(to, P + 3);
        const T r = rate;
        const long w = this->w;
        LOOP
        for (long i = first; i < last; ++i) {
            const bool inside = column[i] != 0;
            const T qxx = inside ? ux[i + 1] - ux[i] : T(0);
            const T qxy = LAST_ROW ? T(0) : ux[i + w] - ux[i];
            const T qyx = inside ? uy[i + 1] - uy[i] : T(0);
            const T qyy = LAST_ROW ? T(0) : uy[i + w] - uy[i];
            const T mx = T(1) + r * root(qxx * qxx + qxy * qxy + TINY);
            const T my = T(1) + r * root(qyx * qyx + qyy * qyy + TINY);
            const T both = T(1) / (mx * my);
            const T scale_x = my * both, scale_y = mx * both;
            next_xx[i] = (xx[i] + r * qxx) * scale_x;
            next_xy[i] = (xy[i] + r * qxy) * scale_x;
            next_yx[i] = (yx[i] + r * qyx) * scale_y;
            next_yy[i] = (yy[i] + r * qyy) * scale_y;
        }
    }

    // From the adjoint of u of the next state: that of p of this state, and through
    // the dual step that made this state, of the differences of its u.
    void adjoint_dual(T *here, T *adjoint) {
        for (int c = 0; c < 2; ++c) {
            adjoint_dual_rows<false>(here, adjoint, c, 0, n - w);
            adjoint_dual_rows<true>(here, adjoint, c, n - w, n);
        }
    }

    template <bool LAST_ROW>
    void adjoint_dual_rows(T *here, T *adjoint, int c, long first, long last) {
        const T *u = at(here, UX + c), *column = at(constants, COLUMN);
        const T *px = at(here, P + 2 * c), *py = at(here, P + 2 * c + 1);
        const T *du = at(adjoint, DU + c);
        T *dpx = at(adjoint, DP + 2 * c), *dpy = at(adjoint, DP + 2 * c + 1);
        T *dqx = at(adjoint, DQ + 2 * c), *dqy = at(adjoint, DQ + 2 * c + 1);
        const T r = rate, xb = a.theta * x_before, xh = a.theta * x_here;
        const T yb = a.theta * y_before, yh = a.theta * y_here;
        const long w = this->w;
        T d_rate = 0, d_xb = 0, d_xh = 0, d_yb = 0, d_yh = 0;
        REDUCE(d_rate, d_xb, d_xh, d_yb, d_yh)
        for (long i = first; i < last; ++i) {
            const T right = du[i + 1], below = LAST_ROW ? T(0) : du[i + w];
            d_xh += du[i] * px[i];
            d_xb += right * px[i];
            d_yh += du[i] * py[i];
            d_yb += below * py[i];
            const bool inside = column[i] != 0;
            const T qx = inside ? u[i + 1] - u[i] : T(0);
            const T qy = LAST_ROW ? T(0) : u[i + w] - u[i];
            const T m = root(qx * qx + qy * qy + TINY);
            const T scale = T(1) + r * m;
            const T both = T(1) / (scale * m);
            const T nx = (dpx[i] + xh * du[i] + xb * right) * (both * m);
            const T ny = (dpy[i] + yh * du[i] + yb * below) * (both * m);
            const T d_scale = -(nx * px[i] + ny * py[i]);
            d_rate += nx * qx + ny * qy + m * d_scale;
            const T t = r * d_scale * (both * scale);
            dpx[i] = nx;
            dpy[i] = ny;
            dqx[i] = inside ? r * nx + t * qx : T(0);
            dqy[i] = LAST_ROW ? T(0) : r * ny + t * qy;
        }
        totals.rate += d_rate;
        totals.x_before += d_xb;
        totals.x_here += d_xh;
        totals.y_before += d_yb;
        totals.y_here += d_yh;
    }

    // From the adjoint of u of the next state to that of u of this one.
    void adjoint_primal(T *here, T *adjoint) {
        const T *gx = at(constants, GX), *gy = at(constants, GY);
        const T *step = at(constants, STEP), *rho_c = at(constants, RHO);
        const T *ux = at(here, UX), *uy = at(here, UY);
        const T *xx = at(adjoint, DQ), *xy = at(adjoint, DQ + 1);
        const T *yx = at(adjoint, DQ + 2), *yy = at(adjoint, DQ + 3);
        T *dux = at(adjoint, DU), *duy = at(adjoint, DU + 1);
        T *dgx = at(adjoint, DG), *dgy = at(adjoint, DG + 1);
        T *dstep = at(adjoint, DSTEP), *drho = at(adjoint, DRHO);
        const T b = bound;
        const long n = this->n, w = this->w;
        T d_bound = 0;
        REDUCE(d_bound)
        for (long i = 0; i < n; ++i) {
            const T rho = rho_c[i] + gx[i] * ux[i] + gy[i] * uy[i];
            const T free = step[i] * rho;
            T s = -b > free ? -b : free;
            s = b < s ? b : s;
            const T ds = dux[i] * gx[i] + duy[i] * gy[i];
            const T inside = s == free ? ds : T(0);
            d_bound += s == free ? T(0) : (free > 0 ? ds : -ds);
            const T dr = inside * step[i];
            dstep[i] += inside * rho;
            drho[i] += dr;
            dgx[i] += s * dux[i] + dr * ux[i];
            dgy[i] += s * duy[i] + dr * uy[i];
            dux[i] += dr * gx[i] + (xx[i - 1] - xx[i]) + (xy[i - w] - xy[i]);
            duy[i] += dr * gy[i] + (yx[i - 1] - yx[i]) + (yy[i - w] - yy[i]);
        }
        totals.bound += d_bound;
    }

    // From the adjoints of g, -1 / |g|^2 and rho_c to those of the maps.
    void finish(long map, T *adjoint) {
        const T *gx = at(constants, GX), *gy = at(constants, GY);
        const T *step = at(constants, STEP);
        T *dgx = at(adjoint, DG), *dgy = at(adjoint, DG + 1);
        const T *dstep = at(adjoint, DSTEP), *drho = at(adjoint, DRHO);
        T *d_f1 = a.d_f1 + map * n, *d_f2 = a.d_f2 + map * n;
        LOOP
        for (long i = 0; i < n; ++i) {
            const T square = gx[i] * gx[i] + gy[i] * gy[i];
            const T d = square < T(FLAT) ? T(0) : 2 * dstep[i] * step[i] * step[i];
            dgx[i] += d * gx[i];
            dgy[i] += d * gy[i];
            d_f1[i] = -drho[i];
            d_f2[i] = drho[i];
        }
        // The transposed filters; then the border of the padded map comes home.
        T *padded = wides + PADDED * wide_size;
        T *wide_x = wides + WIDE_X * wide_size, *wide_y = wides + WIDE_Y * wide_size;
        for (long y = 0; y < a.h; ++y) {
            std::copy_n(dgx + y * w, w, wide_x + y * wide);
            std::copy_n(dgy + y * w, w, wide_y + y * wide);
            std::fill_n(wide_x + y * wide + w, 2, T(0));
            std::fill_n(wide_y + y * wide + w, 2, T(0));
        }
        T c[18];
        std::copy_n(a.kernels, 18, c);
        const long wide = this->wide, all = (a.h + 2) * wide;
        LOOP
        for (long i = 0; i < all; ++i) {
            const T *p = wide_x + i, *q = p - wide, *r = q - wide;
            const T *s = wide_y + i, *t = s - wide, *u = t - wide;
            padded[i] = c[0] * p[0] + c[1] * p[-1] + c[2] * p[-2] + c[3] * q[0] +
                        c[4] * q[-1] + c[5] * q[-2] + c[6] * r[0] + c[7] * r[-1] +
                        c[8] * r[-2] + c[9] * s[0] + c[10] * s[-1] + c[11] * s[-2] +
                        c[12] * t[0] + c[13] * t[-1] + c[14] * t[-2] + c[15] * u[0] +
                        c[16] * u[-1] + c[17] * u[-2];
        }
        for (long y = 0; y < a.h + 2; ++y) {
            T *from = padded + y * wide;
            from[1] += from[0];
            from[w] += from[w + 1];
            T *to = d_f2 + std::min(std::max(y - 1, 0L), a.h - 1) * w;
            LOOP
            for (long x = 0; x < w; ++x) to[x] += from[x + 1];
        }
        double *out = a.sums + 6 * map;
        out[0] = totals.bound;
        out[1] = totals.rate;
        out[2] = totals.x_before;
        out[3] = totals.x_here;
        out[4] = totals.y_before;
        out[5] = totals.y_here;
    }

    static constexpr T TINY = std::numeric_limits<T>::min();
    static float root(float x) { return __builtin_sqrtf(x); }
    static double root(double x) { return __builtin_sqrt(x); }
};
