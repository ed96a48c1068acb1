// Names of topics: `kind:id`. Kinds are declared by whoever has them; here stands what all share, and the user's own.

/** What every id in the protocol looks like, a lower-case UUID: as a part of a regular expression. */
export const uuidSource = '[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}';
export const uuidPattern = `^${uuidSource}$`;

const ownTopic = new RegExp(`^user:(${uuidSource})$`);

/**
 * Topics with this prefix are nothing but their events, and are forgotten with them [T4]. The others stand for something,
 * which may keep their numbers for ever, as messages do.
 */
export const forgettablePrefix = 'app:';
export const isForgettable = (topic: string): boolean => topic.startsWith(forgettablePrefix);

/** What concerns one user: every connection hears its own inside the server. [H5] */
export const userTopic = (userId: string): string => `user:${userId}`;

/** The user whose own topic it is; undefined where it is none. */
export const userOfTopic = (topic: string): string | undefined => ownTopic.exec(topic)?.[1];
