#!/bin/sh
# Verilator's OBJCACHE for the tests: compiles each file of Verilator's own library once.
#
#     compile_once.sh COMPILER ARGUMENT... -c -o OBJECT SOURCE
#
# COMPILE_ONCE_FOLDER names the folder of the objects. What else is compiled is compiled.

for source; do :; done
case "${COMPILE_ONCE_FOLDER:+$source}" in
  */verilator/include/verilated*.cpp) ;;
  *) exec "$@" ;;
esac

object= before= words=
for word; do
  if [ "$before" = "-o" ]; then object=$word; else words="$words $word"; fi
  before=$word
done
kept="$COMPILE_ONCE_FOLDER/$(echo "$words" | sha256sum | cut -c1-32).o"
if [ ! -f "$kept" ]; then
  "$@" || exit
  cp "$object" "$kept.$$" && mv "$kept.$$" "$kept"
else
  cp "$kept" "$object"
fi
