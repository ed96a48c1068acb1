// Topic names: `kind:id`, and the two that carry a suffix or a fixed id. The only place that takes them apart.

const uuid = '[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}';

/** What every id in the protocol looks like: a lower-case UUID. */
export const uuidPattern = `^${uuid}$`;

const appName = '[a-z0-9._-]{1,100}';

/** For each kind of topic, what follows the kind and the colon. */
const idPatterns = {
  user: new RegExp(`^user:(${uuid})$`),
  'user-jobs': new RegExp(`^user:(${uuid}):jobs$`),
  'admin-jobs': /^admin:(jobs)$/,
  app: new RegExp(`^app:(${appName})$`),
  chat: new RegExp(`^chat:(${uuid})$`),
  player: new RegExp(`^player:(${uuid})$`),
  computer: new RegExp(`^computer:(${uuid})$`),
  campaign: new RegExp(`^campaign:(${uuid})$`),
  settlement: new RegExp(`^settlement:(${uuid})$`),
  structure: new RegExp(`^structure:(${uuid})$`),
  job: new RegExp(`^job:(${uuid})$`),
} as const;

export type TopicKindName = keyof typeof idPatterns;

export interface ParsedTopic {
  kind: TopicKindName;
  /** What the topic is about: the id behind the kind; for `user:<id>:jobs` the user's id. */
  id: string;
}

type KindPattern = [kind: TopicKindName, pattern: RegExp];

/** By the word before the colon, which only `user` shares: a name is taken apart for every frame. */
const patternsByWord = Map.groupBy(
  Object.entries(idPatterns) as KindPattern[], // the keys of idPatterns
  ([, { source }]) => source.slice(1, source.indexOf(':')),
);

/** The kind and id of a topic name, or undefined where it is no topic name at all. [S5] */
export function parseTopic(topic: string): ParsedTopic | undefined {
  for (const [kind, pattern] of patternsByWord.get(topic.slice(0, topic.indexOf(':'))) ?? []) {
    const id = pattern.exec(topic)?.[1];
    if (id !== undefined) return { kind, id };
  }
  return undefined;
}

/**
 * Topics with this prefix are nothing but their events, and are forgotten with them [T4]. The others stand for something,
 * which may keep their numbers for ever, as messages do.
 */
export const forgettablePrefix = 'app:';
export const isForgettable = (topic: string): boolean => topic.startsWith(forgettablePrefix);

export const userTopic = (userId: string): string => `user:${userId}`;
export const chatTopic = (chatId: string): string => `chat:${chatId}`;
