// The tables of the game. Whatever a player has changes behind the lock of the player's row: see `access.ts`.

import { sql } from 'drizzle-orm';
import {
  bigint,
  boolean,
  index,
  integer,
  jsonb,
  numeric,
  pgTable,
  primaryKey,
  text,
  unique,
  uniqueIndex,
  uuid,
} from 'drizzle-orm/pg-core';
import { users } from '../../auth/schema.ts';
import { instant } from '../../db/columns.ts';
import type { DefenseType, HackResult, HackStatus, HackType } from './contract.ts';

export const players = pgTable(
  'players',
  {
    id: uuid('id').primaryKey(),
    userId: uuid('user_id')
      .notNull()
      .unique()
      .references(() => users.id),
    handle: text('handle').notNull().unique(),
    money: bigint('money', { mode: 'number' }).notNull(),
    /** How much there was at `energy_at`. */
    energy: integer('energy').notNull(),
    energyMax: integer('energy_max').notNull(),
    energyAt: instant('energy_at').notNull(),
    /** All that was ever earned. What unlocks cost follows from which are held. */
    xp: integer('xp').notNull(),
    shieldUntil: instant('shield_until'),
    version: integer('version').notNull(),
  },
  (table) => [index('players_xp').on(table.xp, table.id)],
);

export const computers = pgTable(
  'computers',
  {
    id: uuid('id').primaryKey(),
    playerId: uuid('player_id')
      .notNull()
      .references(() => players.id),
    name: text('name').notNull(),
    ip: text('ip').notNull().unique(),
    cpu: integer('cpu').notNull(),
    memory: integer('memory').notNull(),
    storage: integer('storage').notNull(),
  },
  (table) => [index('computers_player').on(table.playerId, table.id)],
);

export const defenses = pgTable(
  'defenses',
  {
    id: uuid('id').primaryKey(),
    computerId: uuid('computer_id')
      .notNull()
      .references(() => computers.id),
    type: text('type').$type<DefenseType>().notNull(),
    level: integer('level').notNull(),
    /** In percent. */
    effectiveness: numeric('effectiveness', { precision: 5, scale: 2 }).notNull(),
    installedAt: instant('installed_at').notNull(),
  },
  (table) => [unique('defenses_computer_type').on(table.computerId, table.type)],
);

export const hackOperations = pgTable(
  'hack_operations',
  {
    id: uuid('id').primaryKey(),
    attackerId: uuid('attacker_id')
      .notNull()
      .references(() => players.id),
    targetComputerId: uuid('target_computer_id')
      .notNull()
      .references(() => computers.id),
    /** Whose the computer is: it never changes hands. */
    defenderId: uuid('defender_id')
      .notNull()
      .references(() => players.id),
    type: text('type').$type<HackType>().notNull(),
    tools: text('tools').array().notNull(),
    status: text('status').$type<HackStatus>().notNull(),
    startedAt: instant('started_at').notNull(),
    completionAt: instant('completion_at').notNull(),
    /** Never leaves the server: who knows it knows how the hack ends. */
    seed: integer('seed').notNull(),
    result: jsonb('result').$type<HackResult>(),
    /** Found room in the snapshots of the defender when it came, and keeps it while it runs. */
    isListed: boolean('is_listed').notNull(),
    /** The defender knows who attacks. */
    isTraced: boolean('is_traced').notNull(),
  },
  (table) => [
    uniqueIndex('hack_operations_running')
      .on(table.attackerId, table.targetComputerId)
      .where(sql`status = 'running'`),
    index('hack_operations_due').on(table.completionAt).where(sql`status = 'running'`),
    index('hack_operations_endured')
      .on(table.defenderId, table.targetComputerId)
      .where(sql`status = 'running'`),
    index('hack_operations_attacker').on(table.attackerId, table.startedAt, table.id),
    index('hack_operations_defender').on(table.defenderId, table.startedAt, table.id),
  ],
);

export const progressionUnlocks = pgTable(
  'progression_unlocks',
  {
    playerId: uuid('player_id')
      .notNull()
      .references(() => players.id),
    key: text('key').notNull(),
    unlockedAt: instant('unlocked_at').notNull(),
  },
  (table) => [primaryKey({ columns: [table.playerId, table.key] })],
);
