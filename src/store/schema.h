/* schema.h - the numbered migrations, embedded from schema/. Inside the room only. */
#ifndef STUMPER_STORE_SCHEMA_H
#define STUMPER_STORE_SCHEMA_H

#include "store/sql.h"

extern const struct sql_schema store_schema;

#endif
