/* Marks every message with the name of this site, which is the module's `args`. */

#include <string.h>

#include "sandgate.h"
#include "sandgate_json.h"

static sandgate_json *site;

const char *module_create(const char *configuration) {
    const char *reason;
    site = sandgate_json_read(configuration, strlen(configuration), &reason);
    if (site == NULL || site->kind != SANDGATE_JSON_STRING) {
        return "args: write the name of the site, for example \"lab\"";
    }
    return NULL;
}

void module_start(void) {}

const char *module_receive(sandgate_message *message, const sandgate_delivery *delivery) {
    (void)delivery;
    sandgate_set_property(message, "site", site->string);
    return sandgate_publish(message);
}

void module_destroy(void) { sandgate_json_free(site); }
