/* yaml.h - YAML 1.1 (libyaml) as a JSON tree, for configuration files. */
#ifndef STUMPER_JSON_YAML_H
#define STUMPER_JSON_YAML_H

#include "json/node.h"

#define YAML_BYTES_MAX ((size_t)256 * 1024) /* libyaml is quadratic on some inputs */

/**
 * Read one document. Plain scalars become null, booleans (true/false only), integers and numbers as
 * in the YAML 1.2 core schema; quoted ones stay strings. An empty document is an empty object.
 *
 * @return  ERR_SYNTAX "line 3, column 5: …" (also for aliases, anchors, tags, several documents,
 * duplicate keys), ERR_TOO_BIG
 */
NODISCARD enum err yaml_parse(struct str text, struct arena *a, const struct jnode **ret,
                              struct errinfo *reterr);

#endif
