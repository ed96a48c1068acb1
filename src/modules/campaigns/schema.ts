// The tables of campaigns. Whatever stands below a campaign changes behind the lock of the campaign's row.

import { sql } from 'drizzle-orm';
import {
  index,
  integer,
  jsonb,
  pgTable,
  primaryKey,
  text,
  timestamp,
  uniqueIndex,
  uuid,
} from 'drizzle-orm/pg-core';
import { users } from '../../auth/schema.ts';
import { instant } from '../../db/columns.ts';
import type { Role, VariableSchema, Variables } from './contract.ts';

export const campaigns = pgTable(
  'campaigns',
  {
    id: uuid('id').primaryKey(),
    name: text('name').notNull(),
    description: text('description').notNull(),
    ownerId: uuid('owner_id')
      .notNull()
      .references(() => users.id),
    /** Read as text in UTC (`rows.ts`): the year 1 in a zone of the session is nothing that drivers read alike. */
    worldTime: timestamp('world_time', { withTimezone: true, precision: 3, mode: 'string' }).notNull(),
    version: integer('version').notNull().default(1),
  },
  (table) => [index('campaigns_owner').on(table.ownerId)],
);

export const campaignMembers = pgTable(
  'campaign_members',
  {
    campaignId: uuid('campaign_id')
      .notNull()
      .references(() => campaigns.id),
    userId: uuid('user_id')
      .notNull()
      .references(() => users.id),
    role: text('role').$type<Role>().notNull(),
    joinedAt: instant('joined_at').notNull(),
  },
  (table) => [
    primaryKey({ columns: [table.campaignId, table.userId] }),
    index('campaign_members_user').on(table.userId, table.campaignId),
    uniqueIndex('campaign_members_owner').on(table.campaignId).where(sql`${table.role} = 'owner'`),
  ],
);

/**
 * Who was a member: for as long as an instance may not know it, events of settlements and structures are withheld from them.
 * Gone when they come back.
 */
export const campaignDepartures = pgTable(
  'campaign_departures',
  {
    campaignId: uuid('campaign_id')
      .notNull()
      .references(() => campaigns.id),
    userId: uuid('user_id')
      .notNull()
      .references(() => users.id),
    leftAt: instant('left_at').notNull().defaultNow(),
  },
  (table) => [primaryKey({ columns: [table.campaignId, table.userId] })],
);

export const kingdoms = pgTable(
  'kingdoms',
  {
    id: uuid('id').primaryKey(),
    campaignId: uuid('campaign_id')
      .notNull()
      .references(() => campaigns.id),
    name: text('name').notNull(),
    version: integer('version').notNull().default(1),
    createdAt: instant('created_at').notNull(),
    updatedAt: instant('updated_at').notNull(),
  },
  (table) => [index('kingdoms_campaign').on(table.campaignId, table.id)],
);

const varied = () => ({
  variables: jsonb('variables').$type<Variables>().notNull(),
  variableSchemas: jsonb('variable_schemas').$type<VariableSchema[]>().notNull(),
});

export const settlements = pgTable(
  'settlements',
  {
    id: uuid('id').primaryKey(),
    kingdomId: uuid('kingdom_id')
      .notNull()
      .references(() => kingdoms.id),
    name: text('name').notNull(),
    level: integer('level').notNull(),
    ...varied(),
    version: integer('version').notNull().default(1),
  },
  (table) => [index('settlements_kingdom').on(table.kingdomId, table.id)],
);

export const structures = pgTable(
  'structures',
  {
    id: uuid('id').primaryKey(),
    settlementId: uuid('settlement_id')
      .notNull()
      .references(() => settlements.id),
    name: text('name').notNull(),
    type: text('type').notNull(),
    level: integer('level').notNull(),
    ...varied(),
    version: integer('version').notNull().default(1),
  },
  (table) => [index('structures_settlement').on(table.settlementId, table.id)],
);
