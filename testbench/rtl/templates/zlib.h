// What Verilator's writer of FST files uses of zlib, whose library every Linux has, but not its headers
// (zlib.h of version 1.2: the types are those of 64-bit Linux).

#ifndef COSILICO_ZLIB_H
#define COSILICO_ZLIB_H

typedef unsigned char Bytef;
typedef unsigned long uLong;
typedef uLong uLongf;

constexpr int Z_OK = 0;

extern "C" {
uLong compressBound(uLong size);
int compress2(Bytef* target, uLongf* target_size, const Bytef* source, uLong size, int level);
}

#endif
