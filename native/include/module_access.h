/* A module's functions by a pointer to its MODULE_API. */

#ifndef MODULE_ACCESS_H
#define MODULE_ACCESS_H

#include "module.h"

#define MODULE_API_1_OF_(api) ((const MODULE_API_1*)(api))

#define MODULE_PARSE_CONFIGURATION_FROM_JSON(api) (MODULE_API_1_OF_(api)->Module_ParseConfigurationFromJson)
#define MODULE_FREE_CONFIGURATION(api) (MODULE_API_1_OF_(api)->Module_FreeConfiguration)
#define MODULE_CREATE(api) (MODULE_API_1_OF_(api)->Module_Create)
#define MODULE_DESTROY(api) (MODULE_API_1_OF_(api)->Module_Destroy)
#define MODULE_START(api) (MODULE_API_1_OF_(api)->Module_Start)
#define MODULE_RECEIVE(api) (MODULE_API_1_OF_(api)->Module_Receive)

#endif
