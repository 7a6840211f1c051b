#!/usr/bin/env python3
import sys
open(sys.argv[2], "w").write("<!doctype html><title>Stumper API</title>")
