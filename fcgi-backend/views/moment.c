#include "views/view.h"

/* Ecuador has no summer time; Galápagos is an hour behind the continent. */
#define CONTINENT_OFFSET	(-5 * 3600)
#define GALAPAGOS_OFFSET	(-6 * 3600)
#define DAY			86400
#define FIRST			INT64_C(-62135510400)	/* within the years 1 and 9999, here and there */
#define LAST			INT64_C(253402214400)

struct civil {
	int year, month, day, weekday;	/* month 1–12, weekday 0 = Sunday */
	int hour, minute;
};

/* Days from 1970-01-01 to a date of the proleptic Gregorian calendar, backwards:
 * eras of 400 years that begin on the first of March. */
static struct civil
civil_of(int64_t t, int offset)
{
	struct civil c;
	int64_t local = (t < FIRST ? FIRST : t > LAST ? LAST : t) + offset;
	int64_t days = (local - ((local % DAY + DAY) % DAY)) / DAY;
	int64_t seconds = local - days * DAY;
	int64_t z = days + 719468;
	int64_t era = (z >= 0 ? z : z - 146096) / 146097;
	int64_t doe = z - era * 146097;
	int64_t yoe = (doe - doe / 1460 + doe / 36524 - doe / 146096) / 365;
	int64_t doy = doe - (365 * yoe + yoe / 4 - yoe / 100);
	int64_t mp = (5 * doy + 2) / 153;

	c.day = (int)(doy - (153 * mp + 2) / 5 + 1);
	c.month = (int)(mp < 10 ? mp + 3 : mp - 9);
	c.year = (int)(yoe + era * 400 + (c.month <= 2));
	c.weekday = (int)(((days + 4) % 7 + 7) % 7);
	c.hour = (int)(seconds / 3600);
	c.minute = (int)(seconds % 3600 / 60);
	return c;
}

/* The words stand in the catalogue. */
static const char *const days[] = { "day.0", "day.1", "day.2", "day.3", "day.4", "day.5", "day.6" };
static const char *const months[] = { "", "month.1", "month.2", "month.3", "month.4", "month.5", "month.6",
	"month.7", "month.8", "month.9", "month.10", "month.11", "month.12" };

/* A page has a dozen of these numbers: written by hand, they cost a tenth of what printf takes for them. */
static void
put_number(struct buf *out, int n, int digits)
{
	char text[12], *p = text + sizeof(text);

	for (; n > 0 || digits > 0 || p == text + sizeof(text); n /= 10, digits--)
		*--p = (char)('0' + n % 10);
	buf_put(out, p, (size_t)(text + sizeof(text) - p));
}

void
view_put_day(struct buf *out, int64_t t)
{
	struct civil c = civil_of(t, CONTINENT_OFFSET);

	catalogue_put(out, days[c.weekday], NULL);
	buf_putc(out, ' ');
	put_number(out, c.day, 1);
	buf_puts(out, " de ");
	catalogue_put(out, months[c.month], NULL);
	buf_puts(out, " de ");
	put_number(out, c.year, 1);
}

void
view_put_date(struct buf *out, int64_t t)
{
	struct civil c = civil_of(t, CONTINENT_OFFSET);

	put_number(out, c.day, 2);
	buf_putc(out, '/');
	put_number(out, c.month, 2);
	buf_putc(out, '/');
	put_number(out, c.year, 4);
}

static void
put_hour(struct buf *out, int64_t t, int offset)
{
	struct civil c = civil_of(t, offset);

	put_number(out, c.hour, 2);
	buf_putc(out, ':');
	put_number(out, c.minute, 2);
}

void
view_put_hour(struct buf *out, int64_t t)
{
	put_hour(out, t, CONTINENT_OFFSET);
}

void
view_put_moment(struct buf *out, int64_t t)
{
	view_put_day(out, t);
	buf_puts(out, ", ");
	put_hour(out, t, CONTINENT_OFFSET);
	buf_puts(out, " (");
	catalogue_put(out, "hour.continent", NULL);
	buf_puts(out, ")");
}

void
view_put_both(struct buf *out, int64_t t)
{
	view_put_moment(out, t);
	buf_puts(out, "; ");
	put_hour(out, t, GALAPAGOS_OFFSET);
	buf_puts(out, " (");
	catalogue_put(out, "hour.galapagos", NULL);
	buf_puts(out, ")");
}
