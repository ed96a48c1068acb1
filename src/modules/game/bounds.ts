// How much a state holds: server and client bound it alike. Without schemas, so that a client need not load any.

/** How many running hacks the snapshots show of those on one computer. */
export const maxListed = 20;
