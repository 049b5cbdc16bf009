// What Verilator's writer of FST files uses of LZ4, whose library every Linux has, but not its headers
// (lz4.h of version 1.9: these have not changed since version 1.7).

#ifndef COSILICO_LZ4_H
#define COSILICO_LZ4_H

extern "C" {
int LZ4_compressBound(int size);
int LZ4_compress_default(const char* source, char* target, int size, int capacity);
}

#endif
