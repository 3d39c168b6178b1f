/* What jextract reads: the headers of the pinned llama.cpp release, and the shim's. */
#include "llama.h"
#include "ggml-backend.h"
#include "darkbloom_shim.h"
