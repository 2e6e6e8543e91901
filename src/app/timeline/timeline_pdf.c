#include "app/timeline/timeline_pdf.h"

#include "base/time.h"

/* GLib's header of stack allocation names what banned.h does not let stand anywhere. Nothing
 * here needs it. */
#define __G_ALLOCA_H__ // NOLINT(bugprone-reserved-identifier)
#include <cairo/cairo-pdf.h>
#include <pango/pangocairo.h>
#include <stdio.h>
#include <stdlib.h>

/* Points: 1/72 inch. */
#define PAGE_WIDTH 595.28
#define PAGE_HEIGHT 841.89
#define MARGIN 48.0
#define FOOT 20.0 /* from the text's end to the page number */
#define TEXT_WIDTH (PAGE_WIDTH - 2 * MARGIN)
#define TEXT_END (PAGE_HEIGHT - MARGIN - FOOT)
#define ENTRY_GAP 10.0
#define LOCAL_TEXT_MAX 24

/* Fontconfig finds another font for each script that these have not. */
#define FONT "DejaVu Sans, Noto Sans, sans-serif"

struct style {
    int size; /* points */
    PangoWeight weight;
    double grey;
};

static const struct style title_style = {18, PANGO_WEIGHT_BOLD, 0},
                          range_style = {9, PANGO_WEIGHT_NORMAL, 0.35},
                          place_style = {8, PANGO_WEIGHT_NORMAL, 0.35},
                          heading_style = {11, PANGO_WEIGHT_BOLD, 0},
                          text_style = {10, PANGO_WEIGHT_NORMAL, 0};

struct pdf {
    struct buf *out;
    struct str zone;
    cairo_surface_t *surface;
    cairo_t *cairo;
    PangoFontMap *fonts; /* of this document alone: the default one belongs to its thread */
    PangoContext *context;
    double y; /* where the next line begins */
    int page;
};

static cairo_status_t write_bytes(void *context, const unsigned char *bytes, unsigned length)
{
    struct pdf *pdf = context;

    buf_add(pdf->out, (struct str){(const char *)bytes, length});
    return buf_failed(pdf->out) ? CAIRO_STATUS_WRITE_ERROR : CAIRO_STATUS_SUCCESS;
}

static bool is_well(const struct pdf *pdf)
{
    return cairo_status(pdf->cairo) == CAIRO_STATUS_SUCCESS && !buf_failed(pdf->out);
}

static PangoLayout *layout_new(const struct pdf *pdf, const struct style *style, struct str text)
{
    PangoLayout *layout = pango_layout_new(pdf->context);
    PangoFontDescription *font = pango_font_description_from_string(FONT);

    pango_font_description_set_size(font, style->size * PANGO_SCALE);
    pango_font_description_set_weight(font, style->weight);
    pango_layout_set_font_description(layout, font);
    pango_font_description_free(font);
    pango_layout_set_width(layout, (int)(TEXT_WIDTH * PANGO_SCALE));
    pango_layout_set_wrap(layout, PANGO_WRAP_WORD_CHAR);
    pango_layout_set_text(layout, text.ptr, (int)text.len);
    return layout;
}

static void put_page_number(struct pdf *pdf)
{
    char number[16];
    const int len = snprintf(number, sizeof number, "%d", pdf->page);
    PangoLayout *layout = layout_new(pdf, &place_style, (struct str){number, (size_t)len});

    pango_layout_set_alignment(layout, PANGO_ALIGN_CENTER);
    cairo_set_source_rgb(pdf->cairo, place_style.grey, place_style.grey, place_style.grey);
    cairo_move_to(pdf->cairo, MARGIN, TEXT_END + FOOT / 2);
    pango_cairo_show_layout(pdf->cairo, layout);
    g_object_unref(layout);
}

static void end_page(struct pdf *pdf)
{
    put_page_number(pdf);
    cairo_show_page(pdf->cairo);
    pdf->page++;
    pdf->y = MARGIN;
}

/* Line by line, so that a long text goes on over pages. */
static void put_text(struct pdf *pdf, const struct style *style, struct str text)
{
    PangoLayout *layout;
    PangoLayoutIter *line;

    if (text.len == 0)
        return;
    layout = layout_new(pdf, style, text);
    line = pango_layout_get_iter(layout);
    do {
        PangoRectangle area;
        double height;

        pango_layout_iter_get_line_extents(line, NULL, &area);
        height = (double)area.height / PANGO_SCALE;
        if (pdf->y + height > TEXT_END)
            end_page(pdf);
        cairo_set_source_rgb(pdf->cairo, style->grey, style->grey, style->grey);
        cairo_move_to(pdf->cairo, MARGIN + (double)area.x / PANGO_SCALE,
                      pdf->y +
                          (double)(pango_layout_iter_get_baseline(line) - area.y) / PANGO_SCALE);
        pango_cairo_show_layout_line(pdf->cairo, pango_layout_iter_get_line_readonly(line));
        pdf->y += height;
    } while (is_well(pdf) && pango_layout_iter_next_line(line));
    pango_layout_iter_free(line);
    g_object_unref(layout);
}

/* "2026-01-05 10:00:00" by the clocks of the zone. */
static struct str local_text(struct str zone, int64_t us, char out[LOCAL_TEXT_MAX])
{
    const int64_t local = us + zone_offset_s(zone, us) * SECOND_US;
    char text[TIME_TEXT_MAX];

    time_format(local, text);
    return (struct str){
        out, (size_t)snprintf(out, LOCAL_TEXT_MAX, "%.10s %.8s", text, text + sizeof "2026-01-05")};
}

static void put_head(struct pdf *pdf, const struct pdf_head *head)
{
    char from[LOCAL_TEXT_MAX], to[LOCAL_TEXT_MAX], made[LOCAL_TEXT_MAX];
    struct str from_text = STR("…"), to_text = STR("…");
    struct buf line;

    put_text(pdf, &title_style, head->name);
    buf_init(&line, NULL, 512);
    if (head->from.set)
        from_text = local_text(head->zone, head->from.value, from);
    if (head->to.set)
        to_text = local_text(head->zone, head->to.value, to);
    if (head->from.set || head->to.set)
        buf_addf(&line, "%.*s – %.*s · ", STR_FMT(from_text), STR_FMT(to_text));
    buf_addf(&line, "%.*s", STR_FMT(local_text(head->zone, head->made_at_us, made)));
    buf_addf(&line, " · %.*s", STR_FMT(head->zone));
    put_text(pdf, &range_style, buf_str(&line));
    buf_clear(&line);
    pdf->y += ENTRY_GAP;
}

static void set_metadata(struct pdf *pdf, const struct pdf_head *head)
{
    char made[TIME_TEXT_MAX + 1];
    char *name = malloc(head->name.len + 1);

    made[time_format(head->made_at_us - head->made_at_us % SECOND_US, made)] = '\0';
    cairo_pdf_surface_set_metadata(pdf->surface, CAIRO_PDF_METADATA_CREATE_DATE, made);
    if (!name)
        return;
    snprintf(name, head->name.len + 1, "%.*s", STR_FMT(head->name));
    cairo_pdf_surface_set_metadata(pdf->surface, CAIRO_PDF_METADATA_TITLE, name);
    free(name);
}

struct pdf *pdf_open(const struct pdf_head *head, struct buf *out)
{
    struct pdf *pdf = malloc(sizeof *pdf);

    if (!pdf)
        return NULL;
    *pdf = (struct pdf){.out = out, .zone = head->zone, .y = MARGIN, .page = 1};
    pdf->surface = cairo_pdf_surface_create_for_stream(write_bytes, pdf, PAGE_WIDTH, PAGE_HEIGHT);
    pdf->cairo = cairo_create(pdf->surface);
    pdf->fonts = pango_cairo_font_map_new();
    pdf->context = pango_font_map_create_context(pdf->fonts);
    pango_cairo_update_context(pdf->cairo, pdf->context);
    set_metadata(pdf, head);
    put_head(pdf, head);
    return pdf;
}

bool pdf_add(struct pdf *pdf, const struct pdf_entry *entry)
{
    char time[LOCAL_TEXT_MAX];
    struct buf place;

    buf_init(&place, NULL, 2048);
    buf_add(&place, local_text(pdf->zone, entry->occurred_at_us, time));
    buf_add(&place, STR(" · "));
    buf_add(&place, entry->event_type);
    if (entry->who.len > 0) {
        buf_add(&place, STR(" · "));
        buf_add(&place, entry->who);
    }
    put_text(pdf, &place_style, buf_str(&place));
    buf_clear(&place);
    put_text(pdf, &heading_style, entry->title);
    put_text(pdf, &text_style, entry->description);
    pdf->y += ENTRY_GAP;
    return is_well(pdf);
}

int pdf_page(const struct pdf *pdf)
{
    return pdf->page;
}

bool pdf_close(struct pdf *pdf)
{
    bool well;

    put_page_number(pdf);
    cairo_show_page(pdf->cairo);
    well = is_well(pdf);
    cairo_destroy(pdf->cairo);
    cairo_surface_finish(pdf->surface);
    well =
        well && cairo_surface_status(pdf->surface) == CAIRO_STATUS_SUCCESS && !buf_failed(pdf->out);
    cairo_surface_destroy(pdf->surface);
    g_object_unref(pdf->context);
    g_object_unref(pdf->fonts);
    free(pdf);
    return well;
}
