// How much a state holds: server and client bound it alike. Without schemas, so that a client need not load any.

/** How many of a user's jobs a snapshot has: the newest. They are kept as long as they are these. */
export const maxListed = 50;
/** Of an error, in lists, events and snapshots of many: 50 whole ones would not fit. */
export const maxErrorShown = 500;
