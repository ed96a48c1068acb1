// How much a state holds: server and client bound it alike. Without schemas, so that a client need not load any.

/** How many offers the snapshot of a chat lists, and how many bytes they have as JSON in UTF-8. */
export const maxListed = 100;
export const maxListedBytes = 131_072;
