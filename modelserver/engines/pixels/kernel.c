/* TensorFlow's bilinear resize of RGB pixels, with and without antialiasing, to the same bits.
 *
 * What `tf.image.resize` and `tf.round` make of uint8 pixels. With antialiasing that is the operation ScaleAndTranslate
 * with its triangle kernel, without it ResizeBilinear with half_pixel_centers. The same float32 operations are done in
 * the same order: the compiler must not contract a product and a sum into one operation (-ffp-contract=off), nor
 * reorder sums (no -ffast-math). `reference.py` says the same in NumPy, slowly.
 *
 * Memory: one row of the input as float32, one row of the output, the weights, and 32 rows of the input where its
 * strides are not those of packed pixels. Nothing outside of the buffers is read or written: all indices are clamped to
 * sizes that were checked.
 */
#define Py_LIMITED_API 0x030B0000
#define PY_SSIZE_T_CLEAN
#include <Python.h>

#include <float.h>
#include <math.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#define CHANNELS 3
#define PACKED_ROWS 32
#define LARGEST ((Py_ssize_t)1 << 24) /* up to here every place is a float32 */

#if defined(__GNUC__) && defined(__x86_64__)
#define HAS_AVX2_VARIANT 1
#endif
#if defined(__GNUC__)
#define INLINED static inline __attribute__((always_inline))
#else
#define INLINED static inline
#endif

enum outcome { DONE, NO_MEMORY, SPAN_TOO_LARGE };

/* The weights of one axis: output `i` is the sum of `counts[i]` inputs from `starts[i]` on, by weights[i * size + k]. */
typedef struct {
    Py_ssize_t size;
    int32_t *starts;
    int32_t *counts;
    float *weights;
} Spans;

/* One axis without antialiasing: between `lower[i]` and `upper[i]`, `share[i]` of the way. */
typedef struct {
    int32_t *lower;
    int32_t *upper;
    float *share;
} Neighbours;

/* The rows of the input, packed into `block` where they are not packed already. */
typedef struct {
    const Py_buffer *view;
    uint8_t *block;
    Py_ssize_t first; /* of the rows in the block; -1 while there are none */
} Rows;

static void *allocated(Py_ssize_t count, size_t size)
{
    return calloc((size_t)count, size); /* which looks for overflow; called without Python's lock */
}

static void free_spans(Spans *spans)
{
    free(spans->starts);
    free(spans->counts);
    free(spans->weights);
}

static void free_neighbours(Neighbours *neighbours)
{
    free(neighbours->lower);
    free(neighbours->upper);
    free(neighbours->share);
}

static int32_t clamped(int64_t value, int64_t most)
{
    return (int32_t)(value < 0 ? 0 : value > most ? most : value);
}

/* Fill the span of one output; false if it is larger than there is room for, where TensorFlow fails, too. */
static int fill_span(Spans *spans, Py_ssize_t place, Py_ssize_t input, float inverse, float kernel_scale)
{
    const float sample = ((float)place + 0.5f) * inverse;
    const float reduction = 1.0f / kernel_scale;
    float *weights = spans->weights + place * spans->size;
    float total = 0.0f;
    if (sample < 0 || sample > (float)input) return 1;
    const int32_t start = clamped((int64_t)ceilf(sample - kernel_scale - 0.5f), input - 1);
    const int32_t end = clamped((int64_t)floorf(sample + kernel_scale - 0.5f), input - 1) + 1;
    const int32_t count = end - start;
    if (count > spans->size) return 0;
    for (int32_t k = 0; k < count; k++) {
        const float distance = fabsf(((float)(start + k) + 0.5f - sample) * reduction);
        weights[k] = distance < 1.0f ? 1.0f - distance : 0.0f;
        total += weights[k];
    }
    const float factor = fabsf(total) >= 1000.0f * FLT_MIN ? 1.0f / total : 0.0f;
    for (int32_t k = 0; k < count; k++) weights[k] *= factor;
    spans->starts[place] = start;
    spans->counts[place] = count > 0 ? count : 0;
    return 1;
}

static enum outcome make_spans(Spans *spans, Py_ssize_t output, Py_ssize_t input)
{
    const float scale = (float)output / (float)input;
    const float inverse = 1.0f / scale;
    const float kernel_scale = inverse > 1.0f ? inverse : 1.0f;
    const Py_ssize_t widest = 2 * (Py_ssize_t)ceilf(kernel_scale) + 1;
    spans->size = widest < input ? widest : input;
    spans->starts = allocated(output, sizeof(int32_t));
    spans->counts = allocated(output, sizeof(int32_t));
    spans->weights = allocated(output * spans->size, sizeof(float));
    if (!spans->starts || !spans->counts || !spans->weights) return NO_MEMORY;
    for (Py_ssize_t place = 0; place < output; place++)
        if (!fill_span(spans, place, input, inverse, kernel_scale)) return SPAN_TOO_LARGE;
    return DONE;
}

/* Take as many inputs for each output as for the one with most: weights of 0 change no sum, and the processor foresees
 * where a loop ends that is always as long. */
static void make_even(Spans *spans, Py_ssize_t output, Py_ssize_t input)
{
    int32_t most = 0;
    for (Py_ssize_t place = 0; place < output; place++)
        if (spans->counts[place] > most) most = spans->counts[place];
    for (Py_ssize_t place = 0; place < output; place++) {
        const Py_ssize_t left = input - spans->starts[place];
        spans->counts[place] = left < most ? (int32_t)left : most;
    }
}

static enum outcome make_neighbours(Neighbours *neighbours, Py_ssize_t output, Py_ssize_t input)
{
    const float scale = (float)input / (float)output;
    neighbours->lower = allocated(output, sizeof(int32_t));
    neighbours->upper = allocated(output, sizeof(int32_t));
    neighbours->share = allocated(output, sizeof(float));
    if (!neighbours->lower || !neighbours->upper || !neighbours->share) return NO_MEMORY;
    for (Py_ssize_t place = 0; place < output; place++) {
        const float at = ((float)place + 0.5f) * scale - 0.5f;
        const float below = floorf(at);
        neighbours->lower[place] = clamped((int64_t)below, input - 1);
        neighbours->upper[place] = clamped((int64_t)ceilf(at), input - 1);
        neighbours->share[place] = at - below;
    }
    return DONE;
}

static int is_packed(const Py_buffer *view)
{
    return view->strides[2] == 1 && (view->strides[1] == CHANNELS || view->shape[1] == 1);
}

/* Pack the block of rows that `place` belongs to. Rows inside: a turned image has the next column beside in memory. */
static void pack_block(Rows *rows, Py_ssize_t place)
{
    const Py_buffer *view = rows->view;
    const Py_ssize_t width = view->shape[1], first = place - place % PACKED_ROWS;
    const Py_ssize_t left = view->shape[0] - first, count = left < PACKED_ROWS ? left : PACKED_ROWS;
    const uint8_t *start = (const uint8_t *)view->buf + first * view->strides[0];
    for (Py_ssize_t x = 0; x < width; x++)
        for (Py_ssize_t y = 0; y < count; y++) {
            const uint8_t *pixel = start + y * view->strides[0] + x * view->strides[1];
            uint8_t *packed = rows->block + (y * width + x) * CHANNELS;
            for (int c = 0; c < CHANNELS; c++) packed[c] = pixel[c * view->strides[2]];
        }
    rows->first = first;
}

/* Return a row as packed pixels, which stay there until another row is wanted. */
static const uint8_t *row_at(Rows *rows, Py_ssize_t place)
{
    if (!rows->block) return (const uint8_t *)rows->view->buf + place * rows->view->strides[0];
    if (rows->first < 0 || place < rows->first || place >= rows->first + PACKED_ROWS) pack_block(rows, place);
    return rows->block + (place - rows->first) * rows->view->shape[1] * CHANNELS;
}

INLINED void add_row(float *sums, const uint8_t *row, float weight, Py_ssize_t values)
{
    for (Py_ssize_t i = 0; i < values; i++) sums[i] += weight * (float)row[i];
}

/* As four times add_row, in the same order, with a quarter of the loads and stores. */
INLINED void add_four_rows(float *sums, const uint8_t *const *rows, const float *weights, Py_ssize_t values)
{
    const uint8_t *a = rows[0], *b = rows[1], *c = rows[2], *d = rows[3];
    const float wa = weights[0], wb = weights[1], wc = weights[2], wd = weights[3];
    for (Py_ssize_t i = 0; i < values; i++) {
        float sum = sums[i] + wa * (float)a[i];
        sum = sum + wb * (float)b[i];
        sum = sum + wc * (float)c[i];
        sums[i] = sum + wd * (float)d[i];
    }
}

/* The vertical pass for one row of the output. */
INLINED void gather_rows(float *sums, Rows *rows, const Spans *spans, Py_ssize_t place)
{
    const Py_ssize_t values = rows->view->shape[1] * CHANNELS;
    const Py_ssize_t start = spans->starts[place], count = spans->counts[place];
    const float *weights = spans->weights + place * spans->size;
    const uint8_t *four[4];
    Py_ssize_t k = 0;
    memset(sums, 0, (size_t)values * sizeof(float));
    for (; !rows->block && k + 4 <= count; k += 4) { /* rows in a block may go when another comes */
        for (int i = 0; i < 4; i++) four[i] = row_at(rows, start + k + i);
        add_four_rows(sums, four, weights + k, values);
    }
    for (; k < count; k++) add_row(sums, row_at(rows, start + k), weights[k], values);
}

/* The horizontal pass for one row of the output. `sums` and `values` have room for one value more. */
INLINED void gather_columns(float *values, const float *sums, const Spans *spans, Py_ssize_t width)
{
    for (Py_ssize_t x = 0; x < width; x++) {
        const float *from = sums + (Py_ssize_t)spans->starts[x] * CHANNELS;
        const float *weights = spans->weights + x * spans->size;
        const Py_ssize_t count = spans->counts[x];
#if defined(__GNUC__)
        typedef float lanes __attribute__((vector_size(16)));
        lanes sum = {0.0f, 0.0f, 0.0f, 0.0f}, pixel;
        for (Py_ssize_t k = 0; k < count; k++) {
            const float weight = weights[k];
            memcpy(&pixel, from + k * CHANNELS, sizeof(pixel));
            sum += (lanes){weight, weight, weight, weight} * pixel;
        }
        memcpy(values + x * CHANNELS, &sum, sizeof(sum));
#else
        float sum[CHANNELS] = {0.0f, 0.0f, 0.0f};
        for (Py_ssize_t k = 0; k < count; k++)
            for (int c = 0; c < CHANNELS; c++) sum[c] += weights[k] * from[k * CHANNELS + c];
        memcpy(values + x * CHANNELS, sum, sizeof(sum));
#endif
    }
}

/* Round half to even, as tf.round does: above 1.5 * 2^23 a float32 has no places for halves. Return the sum. */
INLINED uint64_t write_rounded(uint8_t *out, const float *values, Py_ssize_t count)
{
    uint64_t total = 0;
    for (Py_ssize_t i = 0; i < count; i++) {
        const float rounded = (values[i] + 12582912.0f) - 12582912.0f;
        const int whole = (int)(rounded < 255.0f ? rounded : 255.0f);
        out[i] = (uint8_t)whole;
        total += (uint8_t)whole;
    }
    return total;
}

INLINED uint64_t antialiased_rows(Rows *rows, const Spans *down, const Spans *across, float *sums, float *values,
                                  uint8_t *out, Py_ssize_t height, Py_ssize_t width)
{
    uint64_t total = 0;
    for (Py_ssize_t y = 0; y < height; y++) {
        gather_rows(sums, rows, down, y);
        gather_columns(values, sums, across, width);
        total += write_rounded(out + y * width * CHANNELS, values, width * CHANNELS);
    }
    return total;
}

static uint64_t antialiased_plain(Rows *rows, const Spans *down, const Spans *across, float *sums, float *values,
                                  uint8_t *out, Py_ssize_t height, Py_ssize_t width)
{
    return antialiased_rows(rows, down, across, sums, values, out, height, width);
}

#ifdef HAS_AVX2_VARIANT
__attribute__((target("avx2"))) static uint64_t antialiased_avx2(Rows *rows, const Spans *down, const Spans *across,
                                                                 float *sums, float *values, uint8_t *out,
                                                                 Py_ssize_t height, Py_ssize_t width)
{
    return antialiased_rows(rows, down, across, sums, values, out, height, width);
}
#endif

static enum outcome resize_antialiased(Rows *rows, uint8_t *out, Py_ssize_t height, Py_ssize_t width, uint64_t *total)
{
    Spans down = {0}, across = {0};
    float *sums = NULL, *values = NULL;
    enum outcome outcome = make_spans(&down, height, rows->view->shape[0]);
    if (outcome == DONE) outcome = make_spans(&across, width, rows->view->shape[1]);
    if (outcome == DONE) {
        make_even(&across, width, rows->view->shape[1]);
        sums = allocated(rows->view->shape[1] * CHANNELS + 1, sizeof(float));
        values = allocated(width * CHANNELS + 1, sizeof(float));
        outcome = sums && values ? DONE : NO_MEMORY;
    }
    if (outcome == DONE) {
#ifdef HAS_AVX2_VARIANT
        if (__builtin_cpu_supports("avx2"))
            *total = antialiased_avx2(rows, &down, &across, sums, values, out, height, width);
        else
#endif
            *total = antialiased_plain(rows, &down, &across, sums, values, out, height, width);
    }
    free(sums);
    free(values);
    free_spans(&down);
    free_spans(&across);
    return outcome;
}

static float between(float first, float second, float share)
{
    return first + (second - first) * share;
}

/* One row without antialiasing: first along the row above and the one below, then between the two. */
static void interpolate_row(float *values, const uint8_t *above, const uint8_t *below, float share_below,
                            const Neighbours *across, Py_ssize_t width)
{
    for (Py_ssize_t x = 0; x < width; x++) {
        const Py_ssize_t left = (Py_ssize_t)across->lower[x] * CHANNELS, right = (Py_ssize_t)across->upper[x] * CHANNELS;
        for (int c = 0; c < CHANNELS; c++) {
            const float top = between((float)above[left + c], (float)above[right + c], across->share[x]);
            const float bottom = between((float)below[left + c], (float)below[right + c], across->share[x]);
            values[x * CHANNELS + c] = between(top, bottom, share_below);
        }
    }
}

static enum outcome resize_plainly(Rows *rows, uint8_t *out, Py_ssize_t height, Py_ssize_t width, uint64_t *total)
{
    const Py_ssize_t in_row = rows->view->shape[1] * CHANNELS;
    Neighbours down = {0}, across = {0};
    float *values = allocated(width * CHANNELS, sizeof(float));
    uint8_t *above = allocated(in_row, 1);
    enum outcome outcome = make_neighbours(&down, height, rows->view->shape[0]);
    if (outcome == DONE) outcome = make_neighbours(&across, width, rows->view->shape[1]);
    if (!values || !above) outcome = NO_MEMORY;
    for (Py_ssize_t y = 0; outcome == DONE && y < height; y++) {
        /* copied: the row below may take the place of its block */
        memcpy(above, row_at(rows, down.lower[y]), (size_t)in_row);
        interpolate_row(values, above, row_at(rows, down.upper[y]), down.share[y], &across, width);
        *total += write_rounded(out + y * width * CHANNELS, values, width * CHANNELS);
    }
    free(values);
    free(above);
    free_neighbours(&down);
    free_neighbours(&across);
    return outcome;
}

static enum outcome resize_view(const Py_buffer *from, const Py_buffer *to, int antialias, uint64_t *total)
{
    Rows rows = {from, NULL, -1};
    if (!is_packed(from)) {
        rows.block = allocated(PACKED_ROWS * from->shape[1] * CHANNELS, 1);
        if (!rows.block) return NO_MEMORY;
    }
    const enum outcome outcome = antialias ? resize_antialiased(&rows, to->buf, to->shape[0], to->shape[1], total)
                                           : resize_plainly(&rows, to->buf, to->shape[0], to->shape[1], total);
    free(rows.block);
    return outcome;
}

/* Set ValueError unless the buffer holds RGB pixels of 1 to LARGEST rows and columns. */
static int holds_pixels(const Py_buffer *view, const char *name)
{
    const char *format = view->format ? view->format : "B";
    if (view->ndim != 3 || view->itemsize != 1 || strcmp(format, "B") != 0 || view->suboffsets != NULL)
        PyErr_Format(PyExc_ValueError, "%s must be an array of uint8 with three axes", name);
    else if (view->shape[2] != CHANNELS)
        PyErr_Format(PyExc_ValueError, "%s must have 3 channels, not %zd", name, view->shape[2]);
    else if (view->shape[0] < 1 || view->shape[1] < 1 || view->shape[0] > LARGEST || view->shape[1] > LARGEST)
        PyErr_Format(PyExc_ValueError, "%s must have 1 to %zd rows and columns, not %zd and %zd", name, LARGEST,
                     view->shape[0], view->shape[1]);
    else
        return 1;
    return 0;
}

static PyObject *resize(PyObject *module, PyObject *arguments)
{
    PyObject *source, *target, *result = NULL;
    int antialias;
    Py_buffer from, to;
    uint64_t total = 0;
    enum outcome outcome = DONE;
    (void)module;
    if (!PyArg_ParseTuple(arguments, "OOp:resize", &source, &target, &antialias)) return NULL;
    if (PyObject_GetBuffer(source, &from, PyBUF_STRIDES | PyBUF_FORMAT) < 0) return NULL;
    if (PyObject_GetBuffer(target, &to, PyBUF_C_CONTIGUOUS | PyBUF_FORMAT | PyBUF_WRITABLE) == 0) {
        if (holds_pixels(&from, "the image") && holds_pixels(&to, "the result")) {
            Py_BEGIN_ALLOW_THREADS
            outcome = resize_view(&from, &to, antialias, &total);
            Py_END_ALLOW_THREADS
            if (outcome == DONE)
                result = PyLong_FromUnsignedLongLong(total);
            else if (outcome == NO_MEMORY)
                PyErr_NoMemory();
            else
                PyErr_SetString(PyExc_ValueError, "the image is too large for the result");
        }
        PyBuffer_Release(&to);
    }
    PyBuffer_Release(&from);
    return result;
}

static PyMethodDef functions[] = {
    {"resize", resize, METH_VARARGS,
     "resize(image, result, antialias): fill result, and return the sum of its values."},
    {NULL, NULL, 0, NULL},
};

static PyModuleDef_Slot slots[] = {{0, NULL}};

static struct PyModuleDef definition = {
    .m_base = PyModuleDef_HEAD_INIT,
    .m_name = "kernel",
    .m_doc = "TensorFlow's bilinear resize, to the same bits.",
    .m_methods = functions,
    .m_slots = slots,
};

PyMODINIT_FUNC PyInit_kernel(void)
{
    return PyModuleDef_Init(&definition);
}
