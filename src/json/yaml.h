/* yaml.h - YAML 1.1 (libyaml) as a JSON tree, for configuration files. */
#ifndef STUMPER_JSON_YAML_H
#define STUMPER_JSON_YAML_H

#include "json/node.h"

#define YAML_BYTES_MAX ((size_t)256 * 1024) /* libyaml is quadratic on some inputs */
#define YAML_DEPTH_MAX 32

/**
 * Read one document. Plain scalars become null, booleans (true/false only), integers and numbers as
 * in the YAML 1.2 core schema; quoted ones stay strings. An empty document is an empty object.
 *
 * @return  ERR_SYNTAX "line 3, column 5: …" (also for aliases, anchors, tags, several documents,
 *          duplicate or empty keys, infinities, integers past 64 bits); ERR_TOO_BIG over
 *          YAML_BYTES_MAX or nested deeper than YAML_DEPTH_MAX
 */
NODISCARD enum err yaml_parse(struct str text, struct arena *a, const struct jnode **ret,
                              struct errinfo *reterr);

#endif
