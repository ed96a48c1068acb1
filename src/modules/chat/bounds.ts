// How much a state holds: server and client bound it alike. Without schemas, so that a client need not load any.

/** How many messages a snapshot holds. */
export const snapshotMessages = 50;
/** How many different emojis a message may have, and how many users an emoji names in a snapshot. */
export const maxEmojis = 20;
export const maxNamedUsers = 20;
