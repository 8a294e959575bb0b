#ifndef ICERT_PROCEDURE_PHOTOGRAPH_H
#define ICERT_PROCEDURE_PHOTOGRAPH_H
/*
 * What is kept with the capture of the face, as data and never in a file name:
 * "el número del sobre de credenciales, el número de cédula y el nombre
 * completo del solicitante", and why its background was accepted.
 */
#include "procedure/act.h"

struct photograph {
	char	envelope[24];
	char	identification[24];
	char	name[384];
	char	override_reason[256];	/* "" when the background is plain and light */
};

/* Of the capture that stands; desk only.  ICERT_E_NOT_FOUND. */
int	photograph_get(struct act *, const char *application, struct photograph *);

#endif
