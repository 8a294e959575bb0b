#include "documents/contract_pdf.h"

#include <cairo-pdf.h>
#include <pango/pangocairo.h>
#include <qrencode.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "documents/contract_finish.h"
#include "libicert/error.h"
#include "views/view.h"

/* Points: ISO 216 A4, and where things stand on it. */
#define PAGE_WIDTH	595.276
#define PAGE_HEIGHT	841.890
#define MARGIN		62.0
#define BOTTOM		(PAGE_HEIGHT - 70.0)
#define FOOT		(PAGE_HEIGHT - 46.0)
#define WIDTH		(PAGE_WIDTH - 2 * MARGIN)
#define QR_SIZE		84.0
#define QR_QUIET	4	/* modules of quiet zone, ISO/IEC 18004 */
#define LABEL_WIDTH	150.0
#define INDENT		16.0

struct face {
	double size;
	int bold;
	double before, after;	/* space around a block */
};

static const struct face faces[] = {
	[CONTRACT_TITLE] = { 15, 1, 0, 8 },
	[CONTRACT_HEADING] = { 11.5, 1, 10, 3 },
	[CONTRACT_PARAGRAPH] = { 9.5, 0, 0, 6 },
	[CONTRACT_ITEM] = { 9.5, 0, 0, 3 },
	[CONTRACT_ROW] = { 9, 0, 2.5, 2.5 },
};

struct sheet {
	const struct contract_pdf *in;
	cairo_t *cr;
	double y;
	int page, pages;		/* pages: 0 on the first run, which counts them */
	enum contract_block_kind open;	/* CONTRACT_ITEM, CONTRACT_ROW: a list or table is open; 0 none */
	int error;
};

static PangoLayout *
layout_of(struct sheet *s, const char *text, const struct face *face, double width)
{
	PangoLayout *layout = pango_cairo_create_layout(s->cr);
	PangoFontDescription *font = pango_font_description_new();

	pango_font_description_set_family(font, s->in->font != NULL ? s->in->font : "DejaVu Sans");
	pango_font_description_set_absolute_size(font, face->size * PANGO_SCALE);
	pango_font_description_set_weight(font, face->bold ? PANGO_WEIGHT_BOLD : PANGO_WEIGHT_NORMAL);
	pango_layout_set_font_description(layout, font);
	pango_font_description_free(font);
	pango_context_set_language(pango_layout_get_context(layout), pango_language_from_string("es-ec"));
	pango_layout_set_width(layout, (int)(width * PANGO_SCALE));
	pango_layout_set_wrap(layout, PANGO_WRAP_WORD_CHAR);
	pango_layout_set_line_spacing(layout, 1.25f);
	pango_layout_set_text(layout, text, -1);
	return layout;
}

static double
height_of(PangoLayout *layout)
{
	int width, height;

	pango_layout_get_size(layout, &width, &height);
	return (double)height / PANGO_SCALE;
}

static void
draw(struct sheet *s, PangoLayout *layout, double x, double y)
{
	cairo_move_to(s->cr, x, y);
	pango_cairo_show_layout(s->cr, layout);
}

static void
draw_tagged(struct sheet *s, const char *tag, PangoLayout *layout, double x, double y)
{
	cairo_tag_begin(s->cr, tag, NULL);
	draw(s, layout, x, y);
	cairo_tag_end(s->cr, tag);
}

static void
close_group(struct sheet *s)
{
	if (s->open == CONTRACT_ITEM)
		cairo_tag_end(s->cr, "L");
	else if (s->open == CONTRACT_ROW)
		cairo_tag_end(s->cr, "Table");
	s->open = 0;
}

static void
open_group(struct sheet *s, enum contract_block_kind kind)
{
	if (s->open == kind)
		return;
	close_group(s);
	if (kind == CONTRACT_ITEM)
		cairo_tag_begin(s->cr, "L", NULL);
	else if (kind == CONTRACT_ROW)
		cairo_tag_begin(s->cr, "Table", NULL);
	s->open = kind == CONTRACT_ITEM || kind == CONTRACT_ROW ? kind : 0;
}

/* A code of the catalogue in the words of this paper. */
static const char *
worded(const struct contract_pdf *in, const char *what, char code[64])
{
	snprintf(code, 64, "%s.%s", in->words != NULL ? in->words : "contract", what);
	return code;
}

static void
foot(struct sheet *s)
{
	static const struct face face = { 8, 0, 0, 0 };
	struct buf text = BUF_INIT;
	char page[12], pages[12], code[64];
	PangoLayout *layout;

	snprintf(page, sizeof(page), "%d", s->page);
	snprintf(pages, sizeof(pages), "%d", s->pages);
	catalogue_put(&text, worded(s->in, "foot", code),
	    (const char *const[]){ "number", s->in->number, "page", page, "pages", pages, NULL });
	layout = layout_of(s, buf_str(&text), &face, WIDTH);
	pango_layout_set_alignment(layout, PANGO_ALIGN_CENTER);
	draw_tagged(s, "P", layout, MARGIN, FOOT);
	g_object_unref(layout);
	buf_free(&text);
}

static void
end_page(struct sheet *s)
{
	close_group(s);
	foot(s);
	cairo_show_page(s->cr);
}

/* Room for so much: on a new page when this one has not.  A block is never cut. */
static void
need(struct sheet *s, double height)
{
	if (s->y + height <= BOTTOM)
		return;
	end_page(s);
	s->page++;
	s->y = MARGIN;
	if (s->y + height > BOTTOM)
		s->error = ICERT_E_TOO_LARGE;
}

static void
put_row(struct sheet *s, const struct contract_block *b)
{
	const struct face *face = &faces[CONTRACT_ROW];
	const struct face bold = { face->size, 1, 0, 0 };
	PangoLayout *label = layout_of(s, b->label, &bold, LABEL_WIDTH - 8);
	PangoLayout *value = layout_of(s, b->text, face, WIDTH - LABEL_WIDTH);
	double height = height_of(label) > height_of(value) ? height_of(label) : height_of(value);

	need(s, face->before + height + face->after);
	open_group(s, CONTRACT_ROW);
	cairo_tag_begin(s->cr, "TR", NULL);
	draw_tagged(s, "TH", label, MARGIN, s->y + face->before);
	draw_tagged(s, "TD", value, MARGIN + LABEL_WIDTH, s->y + face->before);
	cairo_tag_end(s->cr, "TR");
	s->y += face->before + height + face->after;
	cairo_set_line_width(s->cr, 0.4);
	cairo_set_source_rgb(s->cr, 0.7, 0.7, 0.7);
	cairo_move_to(s->cr, MARGIN, s->y);
	cairo_line_to(s->cr, MARGIN + WIDTH, s->y);
	cairo_stroke(s->cr);
	cairo_set_source_rgb(s->cr, 0, 0, 0);
	g_object_unref(label);
	g_object_unref(value);
}

static void
put_item(struct sheet *s, const struct contract_block *b)
{
	const struct face *face = &faces[CONTRACT_ITEM];
	PangoLayout *bullet = layout_of(s, "•", face, INDENT), *text = layout_of(s, b->text, face, WIDTH - INDENT);

	need(s, height_of(text) + face->after);
	open_group(s, CONTRACT_ITEM);
	cairo_tag_begin(s->cr, "LI", NULL);
	draw_tagged(s, "Lbl", bullet, MARGIN + 3, s->y);
	draw_tagged(s, "LBody", text, MARGIN + INDENT, s->y);
	cairo_tag_end(s->cr, "LI");
	s->y += height_of(text) + face->after;
	g_object_unref(bullet);
	g_object_unref(text);
}

static void
put_text(struct sheet *s, const struct contract_block *b, double width)
{
	const struct face *face = &faces[b->kind];
	PangoLayout *layout = layout_of(s, b->text, face, width);
	const char *tag = b->kind == CONTRACT_TITLE ? "H1" : b->kind == CONTRACT_HEADING ? "H2" : "P";
	/* A heading keeps two lines of what follows with it. */
	double keep = b->kind == CONTRACT_HEADING ? 30 : 0;

	if (s->open == CONTRACT_ROW)
		s->y += 6;
	close_group(s);
	need(s, face->before + height_of(layout) + face->after + keep);
	s->y += face->before;
	draw_tagged(s, tag, layout, MARGIN, s->y);
	s->y += height_of(layout) + face->after;
	g_object_unref(layout);
}

/* Runs of dark modules as rectangles that touch: no hairlines between them. */
static void
draw_qr(cairo_t *cr, const QRcode *code, double x, double y)
{
	double unit = QR_SIZE / (code->width + 2 * QR_QUIET);
	int run;

	for (int row = 0; row < code->width; row++)
		for (int col = 0; col < code->width; col += run > 0 ? run : 1) {
			for (run = 0; col + run < code->width && code->data[row * code->width + col + run] & 1; run++)
				;
			cairo_rectangle(cr, x + (col + QR_QUIET) * unit, y + (row + QR_QUIET) * unit, run * unit, unit * 1.02);
		}
	cairo_fill(cr);
}

static void
put_qr(struct sheet *s, double y)
{
	QRcode *code = QRcode_encodeString8bit(s->in->verify_url, 0, QR_ECLEVEL_M);

	if (code == NULL) {
		s->error = ICERT_E_INVALID;
		return;
	}
	cairo_tag_begin(s->cr, "Figure", NULL);
	draw_qr(s->cr, code, PAGE_WIDTH - MARGIN - QR_SIZE, y);
	cairo_tag_end(s->cr, "Figure");
	QRcode_free(code);
}

static void
put_link(struct sheet *s, const char *url, double width)
{
	const struct face *face = &faces[CONTRACT_ROW];
	PangoLayout *layout = layout_of(s, url, face, width);
	char attributes[600];

	/* The address is ours; an apostrophe would end the attribute. */
	if (strpbrk(url, "'\\") != NULL || strlen(url) > 500)
		s->error = ICERT_E_INVALID;
	snprintf(attributes, sizeof(attributes), "uri='%.500s'", url);
	cairo_tag_begin(s->cr, CAIRO_TAG_LINK, s->error == 0 ? attributes : "uri='about:blank'");
	draw(s, layout, MARGIN, s->y);
	cairo_tag_end(s->cr, CAIRO_TAG_LINK);
	s->y += height_of(layout) + face->after;
	g_object_unref(layout);
}

/* Title, number, date and where to verify, beside the QR code. */
static void
put_head(struct sheet *s, const struct contract_block *title)
{
	double top = s->y, width = WIDTH - QR_SIZE - 14;
	struct contract_block line = { .kind = CONTRACT_PARAGRAPH };
	struct buf text = BUF_INIT, day = BUF_INIT;
	char code[64];

	put_text(s, title, width);
	view_put_day(&day, s->in->at);
	catalogue_put(&text, worded(s->in, "head", code),
	    (const char *const[]){ "number", s->in->number, "day", buf_str(&day), NULL });
	line.text = (char *)(uintptr_t)buf_str(&text);
	put_text(s, &line, width);
	buf_reset(&text);
	catalogue_put(&text, worded(s->in, "verify", code), NULL);
	line.text = (char *)(uintptr_t)buf_str(&text);
	put_text(s, &line, width);
	put_link(s, s->in->verify_url, width);
	put_qr(s, top);
	if (s->y < top + QR_SIZE)
		s->y = top + QR_SIZE;
	s->y += 8;
	buf_free(&text);
	buf_free(&day);
}

static void
put_blocks(struct sheet *s, const struct contract_blocks *blocks)
{
	s->page = 1;
	s->y = MARGIN;
	put_head(s, &blocks->list[0]);
	for (size_t i = 1; i < blocks->n && s->error == 0; i++)
		switch (blocks->list[i].kind) {
		case CONTRACT_ROW:
			put_row(s, &blocks->list[i]);
			break;
		case CONTRACT_ITEM:
			put_item(s, &blocks->list[i]);
			break;
		default:
			put_text(s, &blocks->list[i], WIDTH);
		}
	end_page(s);
}

static cairo_status_t
append(void *arg, const unsigned char *data, unsigned int len)
{
	struct buf *out = arg;

	buf_put(out, data, len);
	return buf_error(out) == 0 ? CAIRO_STATUS_SUCCESS : CAIRO_STATUS_WRITE_ERROR;
}

static void
put_metadata(cairo_surface_t *surface, const struct contract_pdf *in, const char *title)
{
	struct buf text = BUF_INIT;
	time_t at = (time_t)in->at;
	char date[32];
	struct tm tm;

	buf_printf(&text, "%s %s", title, in->number);
	cairo_pdf_surface_set_metadata(surface, CAIRO_PDF_METADATA_TITLE, buf_str(&text));
	buf_free(&text);
	/* Its date, not that of drawing: drawn again it is the same file. */
	strftime(date, sizeof(date), "%Y-%m-%dT%H:%M:%SZ", gmtime_r(&at, &tm));
	cairo_pdf_surface_set_metadata(surface, CAIRO_PDF_METADATA_CREATE_DATE, date);
	cairo_pdf_surface_set_metadata(surface, CAIRO_PDF_METADATA_MOD_DATE, date);
}

/* One run over all pages; *pages in: how many there are, 0 unknown; out: how many there were. */
static int
run(const struct contract_pdf *in, const struct contract_blocks *blocks, int *pages, struct buf *out)
{
	cairo_surface_t *surface = cairo_pdf_surface_create_for_stream(append, out, PAGE_WIDTH, PAGE_HEIGHT);
	struct sheet s = { .in = in, .cr = cairo_create(surface), .pages = *pages };

	put_metadata(surface, in, blocks->list[0].text);
	put_blocks(&s, blocks);
	*pages = s.page;
	if (s.error == 0 && cairo_status(s.cr) != CAIRO_STATUS_SUCCESS)
		s.error = ICERT_E_INVALID;
	cairo_destroy(s.cr);
	cairo_surface_finish(surface);
	if (s.error == 0 && cairo_surface_status(surface) != CAIRO_STATUS_SUCCESS)
		s.error = ICERT_E_INVALID;
	cairo_surface_destroy(surface);
	return s.error != 0 ? s.error : buf_error(out);
}

int
contract_pdf_make(const struct contract_pdf *in, struct buf *out, int *line)
{
	struct contract_blocks *blocks = malloc(sizeof(*blocks));
	struct buf drawn = BUF_INIT;
	int pages = 0, error;
	char code[64];

	if (blocks == NULL)
		return ICERT_E_MEMORY;
	error = contract_blocks_make(in->template, in->template_len, in->variables, in->n, blocks);
	if (line != NULL)
		*line = blocks->line;
	if (error == 0 && (error = run(in, blocks, &pages, &drawn)) == 0) {
		buf_reset(&drawn);
		error = run(in, blocks, &pages, &drawn);
	}
	if (error == 0)
		error = contract_finish(&drawn, catalogue(worded(in, "qr", code)), out);
	contract_blocks_free(blocks);
	free(blocks);
	buf_free(&drawn);
	return error;
}
