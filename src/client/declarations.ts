// Written by `bun run types:client` from what the server declares: change that, and run it again. Types alone, and the names of
// what may be sent twice. As long as what it lists.

import type { EventPosition } from '../protocol/frames.ts';

export interface AdminJobsState {
  counts: Record<string, number>;
  jobs: JobFace[];
}
export interface AdminUser {
  id: string;
  name: string;
  avatarUrl: string | null;
  lastSeenAt: string | null;
  email: string;
  role: 'user' | 'worker' | 'admin';
  emailVerified: boolean;
  createdAt: string;
  disabledAt: string | null;
  updatedAt: string;
}
export interface AdminUserPage {
  items: AdminUser[];
  nextCursor: string | null;
}
export interface AuditPage {
  items: AuditRow[];
  nextCursor: string | null;
}
export interface AuditRow {
  id: string;
  at: string;
  event: string;
  userId: string | null;
  ip: string | null;
  userAgent: string | null;
  details: Record<string, unknown>;
}
export interface Block {
  userId: string;
  createdAt: string;
}
export interface BlockPage {
  items: Block[];
  nextCursor: string | null;
}
export interface Campaign {
  id: string;
  name: string;
  description: string;
  ownerId: string;
  worldTime: string;
  version: number;
}
export interface CampaignDeparture {
  campaignId: string;
  userId: string;
}
export interface CampaignMember {
  userId: string;
  role: 'owner' | 'editor' | 'viewer';
  joinedAt: string;
}
export interface CampaignMemberPage {
  items: CampaignMember[];
  nextCursor: string | null;
}
export interface CampaignPage {
  items: ListedCampaign[];
  nextCursor: string | null;
}
export interface CampaignState {
  campaign: Campaign;
  members: CampaignMember[];
  kingdoms: Kingdom[];
  settlements: SettlementFace[];
  structures: StructureFace[];
}
export interface CampaignTree {
  campaign: Campaign;
  kingdoms: {
    id: string;
    campaignId: string;
    name: string;
    version: number;
    createdAt: string;
    updatedAt: string;
    settlements: {
      id: string;
      kingdomId: string;
      name: string;
      level: number;
      version: number;
      structures: StructureFace[];
    }[];
  }[];
}
export interface Chat {
  id: string;
  type: 'group' | 'direct';
  name: string | null;
  createdBy: string;
  createdAt: string;
  updatedAt: string;
  members: Member[];
}
export interface ChatFace {
  id: string;
  type: 'group' | 'direct';
  name: string | null;
  createdBy: string;
  createdAt: string;
  updatedAt: string;
}
export interface ChatListItem {
  id: string;
  type: 'group' | 'direct';
  name: string | null;
  otherUser: Profile | null;
  lastMessage: {
    id: string;
    seq: number;
    senderId: string;
    senderName: string;
    messageType: 'text' | 'system' | 'offer';
    preview: string | null;
    createdAt: string;
  };
  lastReadSeq: number;
  unreadCount: number;
  mentions: number;
  memberCount: number;
  muted: 'none' | 'mentions' | 'all';
  mutedUntil: string | null;
}
export interface ChatPage {
  items: ChatListItem[];
  nextCursor: string | null;
}
export interface ChatSettings {
  chatId: string;
  muted: 'none' | 'mentions' | 'all';
  mutedUntil: string | null;
  hidden: boolean;
}
export interface ChatState {
  chat: ChatFace;
  members: ChatStateMember[];
  messages: Message[];
  readPositions: Record<string, number>;
  offers: Offer[];
}
export interface ChatStateMember {
  userId: string;
  role: 'admin' | 'member';
  joinedAt: string;
}
export interface ClientFrame {
  id?: string;
  type: string;
  topic?: string;
  payload?: unknown;
  key?: string;
}
export interface Computer {
  id: string;
  playerId: string;
  name: string;
  ip: string;
  cpu: number;
  memory: number;
  storage: number;
  defenses: Defense[];
}
export interface ComputerFace {
  id: string;
  playerId: string;
  name: string;
  ip: string;
  level: number;
  defenses: { type: 'firewall' | 'antivirus' | 'ids' | 'honeypot' | 'encryption'; level: number }[];
}
export interface ComputerState {
  computer: Machine;
  defenses: Defense[];
  hacks: Hack[];
  live: { progress: HackProgress[] };
}
export interface Defense {
  id: string;
  computerId: string;
  type: 'firewall' | 'antivirus' | 'ids' | 'honeypot' | 'encryption';
  level: number;
  effectiveness: number;
  installedAt: string;
}
export interface DeletedEntity {
  id: string;
}
export interface Departure {
  chatId: string;
  userId: string;
}
export interface Energy {
  amount: number;
  at: string;
  max: number;
  perHour: number;
}
export interface EventMeta {
  actorId?: string;
  source: 'ws' | 'http' | 'system';
  correlationId?: string;
}
export interface Hack {
  id: string;
  attackerId: string | null;
  defenderId: string;
  targetComputerId: string;
  type: 'bruteforce' | 'ddos' | 'phishing' | 'exploit';
  tools: string[] | null;
  status: 'running' | 'succeeded' | 'failed' | 'aborted';
  startedAt: string;
  completionAt: string;
  result: HackResult | null;
}
export interface HackPage {
  items: Hack[];
  nextCursor: string | null;
}
export interface HackProgress {
  hackId: string;
  percent: number;
  remainingMs: number;
}
export interface HackResult {
  loot: number;
  xp: number;
}
export interface Job {
  id: string;
  userId: string;
  type: string;
  priority: number;
  status: 'queued' | 'running' | 'completed' | 'failed' | 'cancelled';
  error: string | null;
  attempts: number;
  maxAttempts: number;
  runAt: string;
  workerId: string | null;
  claimedBy: string | null;
  createdAt: string;
  startedAt: string | null;
  finishedAt: string | null;
  updatedAt: string;
  payload: unknown;
  result: unknown;
  progress: JobProgress | null;
}
export interface JobFace {
  id: string;
  userId: string;
  type: string;
  priority: number;
  status: 'queued' | 'running' | 'completed' | 'failed' | 'cancelled';
  error: string | null;
  attempts: number;
  maxAttempts: number;
  runAt: string;
  workerId: string | null;
  claimedBy: string | null;
  createdAt: string;
  startedAt: string | null;
  finishedAt: string | null;
  updatedAt: string;
}
export interface JobItem {
  id: string;
  userId: string;
  type: string;
  priority: number;
  status: 'queued' | 'running' | 'completed' | 'failed' | 'cancelled';
  error: string | null;
  attempts: number;
  maxAttempts: number;
  runAt: string;
  workerId: string | null;
  claimedBy: string | null;
  createdAt: string;
  startedAt: string | null;
  finishedAt: string | null;
  updatedAt: string;
  progress: JobProgress | null;
}
export interface JobPage {
  items: JobItem[];
  nextCursor: string | null;
}
export interface JobProgress {
  current: number;
  total: number;
  percentage: number;
  message: string | null;
}
export interface JobRecord {
  id: string;
  userId: string;
  type: string;
  priority: number;
  status: 'queued' | 'running' | 'completed' | 'failed' | 'cancelled';
  error: string | null;
  attempts: number;
  maxAttempts: number;
  runAt: string;
  workerId: string | null;
  claimedBy: string | null;
  createdAt: string;
  startedAt: string | null;
  finishedAt: string | null;
  updatedAt: string;
  payload: unknown;
  result: unknown;
}
export interface JobState {
  job: JobRecord;
  live: { progress: JobProgress | null };
}
export interface Kingdom {
  id: string;
  campaignId: string;
  name: string;
  version: number;
  createdAt: string;
  updatedAt: string;
}
export interface KingdomPage {
  items: Kingdom[];
  nextCursor: string | null;
}
export interface ListedCampaign {
  id: string;
  name: string;
  description: string;
  ownerId: string;
  worldTime: string;
  version: number;
  role: 'owner' | 'editor' | 'viewer';
}
export interface ListedMessage {
  id: string;
  chatId: string;
  seq: number;
  senderId: string;
  content: string | null;
  messageType: 'text' | 'system' | 'offer';
  metadata: Record<string, unknown> | null;
  replyTo: string | null;
  mentions: string[];
  replyCount: number;
  createdAt: string;
  editedAt: string | null;
  deletedAt: string | null;
  reactions: ListedReaction[];
}
export interface ListedMessagePage {
  items: ListedMessage[];
  nextCursor: string | null;
}
export interface ListedReaction {
  emoji: string;
  count: number;
  mine: boolean;
}
export interface Machine {
  id: string;
  playerId: string;
  name: string;
  ip: string;
  cpu: number;
  memory: number;
  storage: number;
}
export interface Member {
  userId: string;
  role: 'admin' | 'member';
  joinedAt: string;
  lastReadSeq: number;
}
export interface Message {
  id: string;
  chatId: string;
  seq: number;
  senderId: string;
  content: string | null;
  messageType: 'text' | 'system' | 'offer';
  metadata: Record<string, unknown> | null;
  replyTo: string | null;
  mentions: string[];
  replyCount: number;
  createdAt: string;
  editedAt: string | null;
  deletedAt: string | null;
  reactions: Reaction[];
}
export interface Offer {
  id: string;
  chatId: string;
  createdBy: string;
  recipientId: string;
  title: string;
  amount: string;
  currency: string;
  note: string | null;
  status: 'pending' | 'accepted' | 'rejected' | 'withdrawn' | 'countered' | 'expired';
  parentId: string | null;
  expiresAt: string;
  version: number;
  createdAt: string;
  updatedAt: string;
}
export interface OfferPage {
  items: Offer[];
  nextCursor: string | null;
}
export interface OwnUser {
  id: string;
  name: string;
  avatarUrl: string | null;
  lastSeenAt: string | null;
  email: string;
  role: 'user' | 'worker' | 'admin';
  emailVerified: boolean;
  createdAt: string;
}
export interface Player {
  id: string;
  userId: string;
  handle: string;
  money: number;
  energy: Energy;
  xp: number;
  level: number;
  shieldUntil: string | null;
  version: number;
}
export interface PlayerFace {
  id: string;
  handle: string;
  level: number;
  xp: number;
}
export interface PlayerPage {
  items: PlayerFace[];
  nextCursor: string | null;
}
export interface PlayerState {
  player: Player;
  computers: Computer[];
  unlocks: Unlock[];
  hacks: { attacking: Hack[]; defending: Hack[] };
  live: { progress: HackProgress[] };
}
export interface Present {
  userId: string;
  devices: number;
}
export interface Profile {
  id: string;
  name: string;
  avatarUrl: string | null;
}
export interface PublicUser {
  id: string;
  name: string;
  avatarUrl: string | null;
  lastSeenAt: string | null;
}
export interface PublicUserPage {
  items: PublicUser[];
  nextCursor: string | null;
}
export interface Published {
  topic: string;
  event: string;
}
export interface Reacted {
  messageId: string;
  seq: number;
  emoji: string;
  userId: string;
  removed: boolean;
  count: number;
}
export interface Reaction {
  emoji: string;
  count: number;
  userIds: string[];
}
export interface ReadPosition {
  chatId: string;
  userId: string;
  lastReadSeq: number;
}
export interface Resources {
  money: number;
  energy: Energy;
  xp: number;
  level: number;
  shieldUntil: string | null;
  version: number;
}
export interface RevokedSession {
  id: string;
  revokedAt: string;
}
export interface Session {
  id: string;
  userAgent: string | null;
  ip: string | null;
  createdAt: string;
  lastUsedAt: string;
  expiresAt: string;
  current: boolean;
}
export interface SessionPage {
  items: Session[];
  nextCursor: string | null;
}
export interface Settlement {
  id: string;
  kingdomId: string;
  name: string;
  level: number;
  version: number;
  variables: Record<string, string | number | boolean>;
  variableSchemas: VariableSchema[];
}
export interface SettlementFace {
  id: string;
  kingdomId: string;
  name: string;
  level: number;
  version: number;
}
export interface SettlementPage {
  items: SettlementFace[];
  nextCursor: string | null;
}
export interface Structure {
  id: string;
  settlementId: string;
  name: string;
  type: string;
  level: number;
  version: number;
  variables: Record<string, string | number | boolean>;
  variableSchemas: VariableSchema[];
}
export interface StructureFace {
  id: string;
  settlementId: string;
  name: string;
  type: string;
  level: number;
  version: number;
}
export interface StructurePage {
  items: StructureFace[];
  nextCursor: string | null;
}
export interface SubscribeRequest {
  since?: number;
  epoch?: string;
  snapshot?: boolean;
}
export interface Subscribed {
  topic: string;
  seq: number;
  head: number;
  epoch: string;
  replay: number;
  reset?: true;
  snapshot?: unknown;
}
export interface SubscribedToMany {
  results: (Subscribed | TopicRefusal)[];
}
export interface Targets {
  items: ComputerFace[];
}
export interface TopicEvent {
  type: string;
  topic: string;
  seq: number;
  id: string;
  at: string;
  payload: unknown;
  meta: EventMeta;
}
export interface TopicEventPage {
  items: TopicEvent[];
  nextCursor: string | null;
}
export interface TopicRefusal {
  topic: string;
  error: WireError;
}
export interface Unblocked {
  userId: string;
}
export interface Unlock {
  key: string;
  unlockedAt: string;
}
export interface UnlockNode {
  key: string;
  name: string;
  cost: number;
  parents: string[];
  tool: string | null;
  unlockedAt: string | null;
}
export interface UnlockTree {
  unspentXp: number;
  items: UnlockNode[];
}
export interface UnreadCounts {
  chats: number;
  messages: number;
  mentions: number;
}
export interface UserJobsState {
  jobs: JobFace[];
  live: { progress: Record<string, JobProgress> };
}
export interface UserPresence {
  userId: string;
  online: boolean;
  devices: number;
  lastSeenAt: string | null;
}
export interface UserPresencePage {
  items: UserPresence[];
  nextCursor: string | null;
}
export type VariableSchema =
  | { name: string; type: 'number'; min?: number; max?: number }
  | { name: string; type: 'string' }
  | { name: string; type: 'boolean' }
  | { name: string; type: 'enum'; options: string[] };
export interface WireError {
  code:
    | 'invalid'
    | 'unauthorized'
    | 'forbidden'
    | 'not_found'
    | 'unknown_command'
    | 'unknown_topic'
    | 'method_not_allowed'
    | 'conflict'
    | 'too_large'
    | 'too_many_subscriptions'
    | 'rate_limited'
    | 'unavailable'
    | 'internal';
  message: string;
  details?: unknown;
  retryAfterMs?: number;
}
export interface WorldTimeChange {
  previous: string;
  current: string;
  elapsedSeconds: number;
}
/** No fields. */
export type Nothing = Record<string, never>;
/** Beside the output of what changes something: where its events stand. [O3] */
export interface Written {
  events: EventPosition[];
}
/** By the type of the frame. */
export interface Commands {
  auth: {
    payload: { token: string };
    output: { expiresAt: string };
    takesTopic: false;
    takesKey: false;
  };
  ping: {
    payload: Nothing;
    output: { at: string };
    takesTopic: false;
    takesKey: false;
  };
  subscribe: {
    payload:
      | { since?: number; epoch?: string; snapshot?: boolean }
      | { topics: { topic: string; since?: number; epoch?: string; snapshot?: boolean }[] };
    output: Subscribed | SubscribedToMany;
    takesTopic: true;
    takesKey: false;
  };
  unsubscribe: {
    payload: Nothing;
    output: { topic: string };
    takesTopic: true;
    takesKey: false;
  };
  'presence.list': {
    payload: Nothing;
    output: { topic: string; users: Present[] };
    takesTopic: true;
    takesKey: false;
  };
  'user.me': {
    payload: Nothing;
    output: OwnUser;
    takesTopic: false;
    takesKey: false;
  };
  'user.update': {
    payload: { name?: string; avatarUrl?: string | null };
    output: OwnUser & Written;
    takesTopic: false;
    takesKey: false;
  };
  'user.get': {
    payload: { userId: string };
    output: PublicUser;
    takesTopic: false;
    takesKey: false;
  };
  'user.find': {
    payload: { ids?: string; search?: string; limit?: number; cursor?: string };
    output: PublicUserPage;
    takesTopic: false;
    takesKey: false;
  };
  'presence.get': {
    payload: { userId: string };
    output: UserPresence;
    takesTopic: false;
    takesKey: false;
  };
  'presence.find': {
    payload: { users: string };
    output: UserPresencePage;
    takesTopic: false;
    takesKey: false;
  };
  'session.logout': {
    payload: Nothing;
    output: RevokedSession & Written;
    takesTopic: false;
    takesKey: false;
  };
  'session.list': {
    payload: { limit?: number; cursor?: string };
    output: SessionPage;
    takesTopic: false;
    takesKey: false;
  };
  'session.revoke': {
    payload: { sessionId: string };
    output: RevokedSession & Written;
    takesTopic: false;
    takesKey: false;
  };
  'admin.user.list': {
    payload: { search?: string; limit?: number; cursor?: string };
    output: AdminUserPage;
    takesTopic: false;
    takesKey: false;
  };
  'admin.user.update': {
    payload: { userId: string; role?: 'user' | 'worker' | 'admin'; disabled?: boolean };
    output: AdminUser & Written;
    takesTopic: false;
    takesKey: false;
  };
  'admin.audit.list': {
    payload: { event?: string; user?: string; since?: string; limit?: number; cursor?: string };
    output: AuditPage;
    takesTopic: false;
    takesKey: false;
  };
  publish: {
    payload: { event: string; data: unknown; durable?: boolean };
    output: Published & Partial<Written>;
    takesTopic: true;
    takesKey: true;
  };
  'topic.events': {
    payload: { after?: number; limit?: number };
    output: TopicEventPage;
    takesTopic: true;
    takesKey: false;
  };
  'chat.create': {
    payload:
      | { type: 'group'; name: string; participantIds: string[] }
      | { type: 'direct'; participantIds: string[] };
    output: Chat & Written;
    takesTopic: false;
    takesKey: true;
  };
  'chat.list': {
    payload: { limit?: number; cursor?: string; hidden?: 'only' | 'too' };
    output: ChatPage;
    takesTopic: false;
    takesKey: false;
  };
  'chat.unread': {
    payload: Nothing;
    output: UnreadCounts;
    takesTopic: false;
    takesKey: false;
  };
  'chat.get': {
    payload: { chatId: string };
    output: Chat;
    takesTopic: false;
    takesKey: false;
  };
  'chat.rename': {
    payload: { chatId: string; name: string };
    output: Chat & Written;
    takesTopic: false;
    takesKey: false;
  };
  'chat.configure': {
    payload: {
      chatId: string;
      muted?: 'none' | 'mentions' | 'all';
      mutedUntil?: string | null;
      hidden?: boolean;
    };
    output: ChatSettings & Written;
    takesTopic: false;
    takesKey: false;
  };
  'member.add': {
    payload: { chatId: string; userId: string };
    output: Member & Written;
    takesTopic: false;
    takesKey: true;
  };
  'member.update': {
    payload: { chatId: string; userId: string; role: 'admin' | 'member' };
    output: Member & Written;
    takesTopic: false;
    takesKey: false;
  };
  'member.remove': {
    payload: { chatId: string; userId: string };
    output: Departure & Written;
    takesTopic: false;
    takesKey: false;
  };
  'message.list': {
    payload: {
      chatId: string;
      before?: number;
      after?: number;
      around?: number;
      replyTo?: string;
      limit?: number;
    };
    output: ListedMessagePage;
    takesTopic: false;
    takesKey: false;
  };
  'message.send': {
    payload: {
      chatId: string;
      content: string;
      replyTo?: string;
      mentions?: string[];
      metadata?: Record<string, unknown>;
    };
    output: Message & Written;
    takesTopic: false;
    takesKey: true;
  };
  'message.react': {
    payload: { messageId: string; emoji: string; remove?: boolean; chatId?: string };
    output: Reacted & Written;
    takesTopic: false;
    takesKey: false;
  };
  'message.get': {
    payload: { chatId: string; messageId: string };
    output: ListedMessage;
    takesTopic: false;
    takesKey: false;
  };
  'message.edit': {
    payload: { messageId: string; content: string; chatId?: string };
    output: Message & Written;
    takesTopic: false;
    takesKey: false;
  };
  'message.delete': {
    payload: { messageId: string; chatId?: string };
    output: Message & Written;
    takesTopic: false;
    takesKey: false;
  };
  'message.search': {
    payload: { q: string; chat?: string; limit?: number; cursor?: string };
    output: ListedMessagePage;
    takesTopic: false;
    takesKey: false;
  };
  'message.read': {
    payload: { chatId: string; seq: number };
    output: ReadPosition & Written;
    takesTopic: false;
    takesKey: false;
  };
  typing: {
    payload: { chatId: string; active: boolean };
    output: undefined;
    takesTopic: false;
    takesKey: false;
  };
  'block.add': {
    payload: { userId: string };
    output: Block & Written;
    takesTopic: false;
    takesKey: false;
  };
  'block.remove': {
    payload: { userId: string };
    output: Unblocked & Written;
    takesTopic: false;
    takesKey: false;
  };
  'block.list': {
    payload: { limit?: number; cursor?: string };
    output: BlockPage;
    takesTopic: false;
    takesKey: false;
  };
  'offer.create': {
    payload: {
      chatId: string;
      recipientId?: string;
      title: string;
      amount: string;
      currency: string;
      note?: string;
      expiresAt?: string;
    };
    output: Offer & Written;
    takesTopic: false;
    takesKey: true;
  };
  'offer.list': {
    payload: { chatId: string; limit?: number; cursor?: string };
    output: OfferPage;
    takesTopic: false;
    takesKey: false;
  };
  'offer.mine': {
    payload: {
      status?: 'pending' | 'accepted' | 'rejected' | 'withdrawn' | 'countered' | 'expired';
      role?: 'creator' | 'recipient';
      limit?: number;
      cursor?: string;
    };
    output: OfferPage;
    takesTopic: false;
    takesKey: false;
  };
  'offer.get': {
    payload: { offerId: string };
    output: Offer;
    takesTopic: false;
    takesKey: false;
  };
  'offer.update': {
    payload: {
      offerId: string;
      action: 'accept' | 'reject' | 'withdraw' | 'counter';
      counter?: { title?: string; amount: string; currency?: string; note?: string; expiresAt?: string };
    };
    output: Offer & Written;
    takesTopic: false;
    takesKey: true;
  };
  'campaign.create': {
    payload: { name: string; description?: string; worldTime?: string };
    output: Campaign & Written;
    takesTopic: false;
    takesKey: true;
  };
  'campaign.list': {
    payload: { limit?: number; cursor?: string };
    output: CampaignPage;
    takesTopic: false;
    takesKey: false;
  };
  'campaign.tree': {
    payload: { campaignId: string };
    output: CampaignTree;
    takesTopic: false;
    takesKey: false;
  };
  'campaign.time.advance': {
    payload: { campaignId: string; advanceSeconds?: number; to?: string };
    output: WorldTimeChange & Written;
    takesTopic: false;
    takesKey: true;
  };
  'campaign.member.add': {
    payload: { campaignId: string; userId: string; role?: 'editor' | 'viewer' };
    output: CampaignMember & Written;
    takesTopic: false;
    takesKey: true;
  };
  'campaign.member.list': {
    payload: { campaignId: string; limit?: number; cursor?: string };
    output: CampaignMemberPage;
    takesTopic: false;
    takesKey: false;
  };
  'kingdom.create': {
    payload: { campaignId: string; name: string };
    output: Kingdom & Written;
    takesTopic: false;
    takesKey: true;
  };
  'kingdom.list': {
    payload: { campaignId: string; limit?: number; cursor?: string };
    output: KingdomPage;
    takesTopic: false;
    takesKey: false;
  };
  'settlement.create': {
    payload: {
      kingdomId: string;
      name: string;
      level?: number;
      variables?: Record<string, string | number | boolean>;
      variableSchemas?: VariableSchema[];
    };
    output: Settlement & Written;
    takesTopic: false;
    takesKey: true;
  };
  'settlement.list': {
    payload: { kingdomId: string; limit?: number; cursor?: string };
    output: SettlementPage;
    takesTopic: false;
    takesKey: false;
  };
  'structure.create': {
    payload: {
      settlementId: string;
      name: string;
      level?: number;
      variables?: Record<string, string | number | boolean>;
      variableSchemas?: VariableSchema[];
      type: string;
    };
    output: Structure & Written;
    takesTopic: false;
    takesKey: true;
  };
  'structure.list': {
    payload: { settlementId: string; limit?: number; cursor?: string };
    output: StructurePage;
    takesTopic: false;
    takesKey: false;
  };
  'structure.get': {
    payload: { structureId: string };
    output: Structure;
    takesTopic: false;
    takesKey: false;
  };
  'structure.update': {
    payload: {
      structureId: string;
      version: number;
      name?: string;
      level?: number;
      variables?: Record<string, string | number | boolean>;
      variableSchemas?: VariableSchema[];
      type?: string;
    };
    output: Structure & Written;
    takesTopic: false;
    takesKey: false;
  };
  'structure.delete': {
    payload: { structureId: string };
    output: DeletedEntity & Written;
    takesTopic: false;
    takesKey: false;
  };
  'settlement.get': {
    payload: { settlementId: string };
    output: Settlement;
    takesTopic: false;
    takesKey: false;
  };
  'settlement.update': {
    payload: {
      settlementId: string;
      version: number;
      name?: string;
      level?: number;
      variables?: Record<string, string | number | boolean>;
      variableSchemas?: VariableSchema[];
    };
    output: Settlement & Written;
    takesTopic: false;
    takesKey: false;
  };
  'settlement.delete': {
    payload: { settlementId: string };
    output: DeletedEntity & Written;
    takesTopic: false;
    takesKey: false;
  };
  'kingdom.get': {
    payload: { kingdomId: string };
    output: Kingdom;
    takesTopic: false;
    takesKey: false;
  };
  'kingdom.update': {
    payload: { kingdomId: string; version: number; name?: string };
    output: Kingdom & Written;
    takesTopic: false;
    takesKey: false;
  };
  'kingdom.delete': {
    payload: { kingdomId: string };
    output: DeletedEntity & Written;
    takesTopic: false;
    takesKey: false;
  };
  'campaign.owner.change': {
    payload: { campaignId: string; userId: string };
    output: Campaign & Written;
    takesTopic: false;
    takesKey: false;
  };
  'campaign.member.get': {
    payload: { campaignId: string; userId: string };
    output: CampaignMember;
    takesTopic: false;
    takesKey: false;
  };
  'campaign.member.update': {
    payload: { campaignId: string; userId: string; role: 'editor' | 'viewer' };
    output: CampaignMember & Written;
    takesTopic: false;
    takesKey: false;
  };
  'campaign.member.remove': {
    payload: { campaignId: string; userId: string };
    output: CampaignDeparture & Written;
    takesTopic: false;
    takesKey: false;
  };
  'campaign.get': {
    payload: { campaignId: string };
    output: Campaign;
    takesTopic: false;
    takesKey: false;
  };
  'campaign.update': {
    payload: { campaignId: string; version: number; name?: string; description?: string };
    output: Campaign & Written;
    takesTopic: false;
    takesKey: false;
  };
  'campaign.delete': {
    payload: { campaignId: string };
    output: DeletedEntity & Written;
    takesTopic: false;
    takesKey: false;
  };
  'player.create': {
    payload: { handle: string };
    output: PlayerState & Written;
    takesTopic: false;
    takesKey: false;
  };
  'player.state': {
    payload: Nothing;
    output: PlayerState;
    takesTopic: false;
    takesKey: false;
  };
  'player.list': {
    payload: { sort?: 'xp'; limit?: number; cursor?: string };
    output: PlayerPage;
    takesTopic: false;
    takesKey: false;
  };
  'player.get': {
    payload: { playerId: string };
    output: PlayerFace;
    takesTopic: false;
    takesKey: false;
  };
  'computer.scan': {
    payload: { scan?: number };
    output: Targets;
    takesTopic: false;
    takesKey: false;
  };
  'computer.buy': {
    payload: { name: string };
    output: Computer & Written;
    takesTopic: false;
    takesKey: true;
  };
  'computer.get': {
    payload: { computerId: string };
    output: Computer | ComputerFace;
    takesTopic: false;
    takesKey: false;
  };
  'defense.install': {
    payload: { computerId: string; type: 'firewall' | 'antivirus' | 'ids' | 'honeypot' | 'encryption' };
    output: Defense & Written;
    takesTopic: false;
    takesKey: true;
  };
  'hack.start': {
    payload: {
      targetComputerId: string;
      type: 'bruteforce' | 'ddos' | 'phishing' | 'exploit';
      tools?: string[];
    };
    output: Hack & Written;
    takesTopic: false;
    takesKey: true;
  };
  'hack.list': {
    payload: { role?: 'attacker' | 'defender'; limit?: number; cursor?: string };
    output: HackPage;
    takesTopic: false;
    takesKey: false;
  };
  'hack.get': {
    payload: { hackId: string };
    output: Hack;
    takesTopic: false;
    takesKey: false;
  };
  'hack.abort': {
    payload: { hackId: string };
    output: Hack & Written;
    takesTopic: false;
    takesKey: false;
  };
  'unlock.list': {
    payload: Nothing;
    output: UnlockTree;
    takesTopic: false;
    takesKey: false;
  };
  'unlock.buy': {
    payload: { key: string };
    output: Unlock & Written;
    takesTopic: false;
    takesKey: false;
  };
  'job.create': {
    payload: { type: string; payload: unknown; priority?: number; runAt?: string; maxAttempts?: number };
    output: Job & Written;
    takesTopic: false;
    takesKey: true;
  };
  'job.list': {
    payload: {
      status?: 'queued' | 'running' | 'completed' | 'failed' | 'cancelled';
      type?: string;
      limit?: number;
      cursor?: string;
    };
    output: JobPage;
    takesTopic: false;
    takesKey: false;
  };
  'job.get': {
    payload: { jobId: string };
    output: Job;
    takesTopic: false;
    takesKey: false;
  };
  'job.progress': {
    payload: { jobId: string; leaseId: string; current: number; total: number; message?: string };
    output: Written | undefined;
    takesTopic: false;
    takesKey: false;
  };
  'job.complete': {
    payload: { jobId: string; leaseId: string; result?: unknown };
    output: Job & Written;
    takesTopic: false;
    takesKey: false;
  };
  'job.fail': {
    payload: { jobId: string; leaseId: string; error: string; retry?: boolean };
    output: Job & Written;
    takesTopic: false;
    takesKey: false;
  };
  'job.cancel': {
    payload: { jobId: string };
    output: Job & Written;
    takesTopic: false;
    takesKey: false;
  };
  'job.retry': {
    payload: { jobId: string };
    output: Job & Written;
    takesTopic: false;
    takesKey: false;
  };
  'admin.job.list': {
    payload: {
      status?: 'queued' | 'running' | 'completed' | 'failed' | 'cancelled';
      type?: string;
      user?: string;
      limit?: number;
      cursor?: string;
    };
    output: JobPage;
    takesTopic: false;
    takesKey: false;
  };
}
/** The kinds of topic: what they are called, the state that a snapshot holds, and what happens on them. */
export interface Kinds {
  user: {
    name: `user:${string}`;
    state: undefined;
    events: {
      'profile.updated': Profile;
      'session.revoked': {
        sessionId: string;
        reason: 'logout' | 'revoked' | 'password_changed' | 'user_disabled' | 'refresh_reused';
      };
      'role.changed': { role: 'user' | 'worker' | 'admin' };
      'chat.added': { chatId: string; type: 'group' | 'direct'; name: string };
      'chat.removed': { chatId: string };
      'chat.configured': ChatSettings;
      'chat.read': { chatId: string; lastReadSeq: number; unreadCount: number };
      'message.notified': {
        chatId: string;
        messageId: string;
        senderName: string;
        preview: string;
        unreadCount: number;
        mention: boolean;
      };
      'offer.received': { offer: Offer; chatId: string };
      'offer.accepted': { offer: Offer; chatId: string };
      'offer.rejected': { offer: Offer; chatId: string };
      'offer.withdrawn': { offer: Offer; chatId: string };
      'offer.countered': { offer: Offer; chatId: string };
      'offer.expired': { offer: Offer; chatId: string };
      'campaign.added': { campaign: Campaign };
      'campaign.removed': { campaignId: string };
      'access.revoked': { campaignId: string };
    };
  };
  app: {
    name: `app:${string}`;
    state: undefined;
    events: {
      [type: string]: unknown;
      'presence.joined': { userId: string };
      'presence.left': { userId: string };
    };
  };
  chat: {
    name: `chat:${string}`;
    state: ChatState;
    events: {
      'presence.joined': { userId: string };
      'presence.left': { userId: string };
      'profile.updated': Profile;
      'message.created': Message;
      'message.edited': Message;
      'message.deleted': Message;
      'message.reacted': Reacted;
      'message.read': { positions: Record<string, number> };
      'member.joined': Member;
      'member.updated': { userId: string; role: 'admin' | 'member' };
      'member.left': { userId: string; removedBy: string | null };
      'chat.updated': ChatFace;
      typing: { chatId: string; userId: string; active: boolean };
      'offer.created': { offer: Offer };
      'offer.updated': {
        offer: Offer;
        change: 'accepted' | 'rejected' | 'withdrawn' | 'countered' | 'expired';
        by: string | null;
      };
    };
  };
  campaign: {
    name: `campaign:${string}`;
    state: CampaignState;
    events: {
      'profile.updated': Profile;
      'entity.updated':
        | {
            entityType: 'campaign';
            entityId: string;
            operation: 'created' | 'updated' | 'deleted';
            changedFields: string[];
            version: number;
            entity: Campaign | null;
          }
        | {
            entityType: 'member';
            entityId: string;
            operation: 'created' | 'updated' | 'deleted';
            changedFields: string[];
            version: null;
            entity: CampaignMember | null;
          }
        | {
            entityType: 'kingdom';
            entityId: string;
            operation: 'created' | 'updated' | 'deleted';
            changedFields: string[];
            version: number;
            entity: Kingdom | null;
          }
        | {
            entityType: 'settlement';
            entityId: string;
            operation: 'created' | 'updated' | 'deleted';
            changedFields: string[];
            version: number;
            entity: Settlement | null;
          }
        | {
            entityType: 'structure';
            entityId: string;
            operation: 'created' | 'updated' | 'deleted';
            changedFields: string[];
            version: number;
            entity: Structure | null;
          };
      'settlement.updated': {
        entityType: 'settlement';
        entityId: string;
        operation: 'created' | 'updated' | 'deleted';
        changedFields: string[];
        version: number;
        entity: Settlement | null;
      };
      'structure.updated': {
        entityType: 'structure';
        entityId: string;
        operation: 'created' | 'updated' | 'deleted';
        changedFields: string[];
        version: number;
        entity: Structure | null;
      };
      'world-time.changed': WorldTimeChange;
      'state.invalidated': { scope: 'campaign' | 'settlement' | 'structure'; keys: string[]; reason: string };
    };
  };
  settlement: {
    name: `settlement:${string}`;
    state: Settlement;
    events: {
      'settlement.updated': {
        entityType: 'settlement';
        entityId: string;
        operation: 'created' | 'updated' | 'deleted';
        changedFields: string[];
        version: number;
        entity: Settlement | null;
      };
      'structure.updated': {
        entityType: 'structure';
        entityId: string;
        operation: 'created' | 'updated' | 'deleted';
        changedFields: string[];
        version: number;
        entity: Structure | null;
      };
    };
  };
  structure: {
    name: `structure:${string}`;
    state: Structure;
    events: {
      'structure.updated': {
        entityType: 'structure';
        entityId: string;
        operation: 'created' | 'updated' | 'deleted';
        changedFields: string[];
        version: number;
        entity: Structure | null;
      };
    };
  };
  player: {
    name: `player:${string}`;
    state: PlayerState;
    events: {
      'hack.initiated': { hack: Hack };
      'hack.completed': { hack: Hack; result: HackResult };
      'hack.failed': { hack: Hack };
      'hack.aborted': { hack: Hack };
      'hack.progress': HackProgress;
      'defense.installed': { computerId: string; defense: Defense };
      'resources.updated': Resources;
      'computer.created': { computer: Computer };
      'progression.unlocked': { unlock: Unlock };
      'player.levelled': { level: number; previous: number };
    };
  };
  computer: {
    name: `computer:${string}`;
    state: ComputerState;
    events: {
      'hack.initiated': { hack: Hack };
      'hack.completed': { hack: Hack; result: HackResult };
      'hack.failed': { hack: Hack };
      'hack.aborted': { hack: Hack };
      'defense.installed': { computerId: string; defense: Defense };
    };
  };
  job: {
    name: `job:${string}`;
    state: JobState;
    events: {
      'job.created': { jobId: string; job: JobRecord };
      'job.status': {
        jobId: string;
        status: 'queued' | 'running' | 'completed' | 'failed' | 'cancelled';
        previous: 'queued' | 'running' | 'completed' | 'failed' | 'cancelled';
        attempt: number;
        job: JobFace;
      };
      'job.completed': { jobId: string; result: unknown };
      'job.failed': { jobId: string; error: string; attempts: number; willRetryAt?: string };
      'job.cancelled': { jobId: string };
      'job.progress': {
        jobId: string;
        current: number;
        total: number;
        percentage: number;
        message: string | null;
      };
    };
  };
  'user-jobs': {
    name: `user:${string}:jobs`;
    state: UserJobsState;
    events: {
      'job.created': { jobId: string; job: JobRecord };
      'job.status': {
        jobId: string;
        status: 'queued' | 'running' | 'completed' | 'failed' | 'cancelled';
        previous: 'queued' | 'running' | 'completed' | 'failed' | 'cancelled';
        attempt: number;
        job: JobFace;
      };
      'job.completed': { jobId: string; result: unknown };
      'job.failed': { jobId: string; error: string; attempts: number; willRetryAt?: string };
      'job.cancelled': { jobId: string };
      'job.progress': {
        jobId: string;
        current: number;
        total: number;
        percentage: number;
        message: string | null;
      };
    };
  };
  'admin-jobs': {
    name: 'admin:jobs';
    state: AdminJobsState;
    events: {
      'job.created': { jobId: string; job: JobRecord };
      'job.status': {
        jobId: string;
        status: 'queued' | 'running' | 'completed' | 'failed' | 'cancelled';
        previous: 'queued' | 'running' | 'completed' | 'failed' | 'cancelled';
        attempt: number;
        job: JobFace;
      };
      'job.completed': { jobId: string; result: unknown };
      'job.failed': { jobId: string; error: string; attempts: number; willRetryAt?: string };
      'job.cancelled': { jobId: string };
    };
  };
}
/** The kind that a topic of this name is of. */
export type KindOf<Name extends string> = Name extends `settlement:${string}`
  ? 'settlement'
  : Name extends `structure:${string}`
    ? 'structure'
    : Name extends `user:${string}:jobs`
      ? 'user-jobs'
      : Name extends `campaign:${string}`
        ? 'campaign'
        : Name extends `computer:${string}`
          ? 'computer'
          : Name extends `player:${string}`
            ? 'player'
            : Name extends `app:${string}`
              ? 'app'
              : Name extends 'admin:jobs'
                ? 'admin-jobs'
                : Name extends `user:${string}`
                  ? 'user'
                  : Name extends `chat:${string}`
                    ? 'chat'
                    : Name extends `job:${string}`
                      ? 'job'
                      : never;
/** Those that take a key: sent again with it, they take effect once. [K1] */
export const keyedCommands: ReadonlySet<string> = new Set(
  'publish chat.create member.add message.send offer.create offer.update campaign.create campaign.time.advance campaign.member.add kingdom.create settlement.create structure.create computer.buy defense.install hack.start job.create'.split(
    ' ',
  ),
);
/** Those that only read, so that they may be sent again without one. */
export const harmlessCommands: ReadonlySet<string> = new Set(
  'presence.list user.me user.get user.find presence.get presence.find session.list admin.user.list admin.audit.list topic.events chat.list chat.unread chat.get message.list message.get message.search block.list offer.list offer.mine offer.get campaign.list campaign.tree campaign.member.list kingdom.list settlement.list structure.list structure.get settlement.get kingdom.get campaign.member.get campaign.get player.state player.list player.get computer.scan computer.get hack.list hack.get unlock.list job.list job.get admin.job.list'.split(
    ' ',
  ),
);
