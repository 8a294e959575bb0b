#ifndef CHECKER_BACKGROUND_H
#define CHECKER_BACKGROUND_H

#include "checker/picture.h"

/*
 * How light and how even the background of a portrait is: mean and standard deviation of the brightness (ITU-R BT.601,
 * 0 … 255) in a band of a twelfth of the width along the left and right border, down to six tenths of the height (below are
 * shoulders), and of a twelfth of the height along the upper one.  Whole numbers, rounded down.
 */
void background_measure(const struct picture *, uint32_t *mean, uint32_t *deviation);

#endif
