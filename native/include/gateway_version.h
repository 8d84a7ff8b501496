/* The version of V1's gateway whose interface for modules this is. */

#ifndef GATEWAY_VERSION_H
#define GATEWAY_VERSION_H

#define VERSION "1.0.0"

#endif
