/* How functions of the gateway's core are declared. */

#ifndef GATEWAY_EXPORT_H
#define GATEWAY_EXPORT_H

#ifdef _WIN32
#define GATEWAY_EXPORT __declspec(dllimport)
#else
#define GATEWAY_EXPORT extern
#endif

#endif
