// The campaigns module: worlds that a few people build together.

import { defineModule } from '../../realtime/index.ts';
import {
  createCampaign,
  deleteCampaign,
  getCampaign,
  getTree,
  listCampaigns,
  updateCampaign,
} from './campaigns.ts';
import { events } from './contract.ts';
import { createKingdom, deleteKingdom, getKingdom, listKingdoms, updateKingdom } from './kingdoms.ts';
import {
  addMember,
  changeRole,
  getMember,
  handOver,
  leaveCampaigns,
  listMembers,
  removeMember,
} from './members.ts';
import {
  createSettlement,
  deleteSettlement,
  getSettlement,
  listSettlements,
  updateSettlement,
} from './settlements.ts';
import {
  createStructure,
  deleteStructure,
  getStructure,
  listStructures,
  updateStructure,
} from './structures.ts';
import { advanceTime } from './time.ts';
import { campaign, campaignsAround, settlement, structure } from './topics.ts';

export const campaignsModule = defineModule('campaigns', {
  topicKinds: [campaign, settlement, structure],
  events,
  auditEvents: [
    'campaign_created',
    'campaign_deleted',
    'campaign_member_added',
    'campaign_member_updated',
    'campaign_member_removed',
    'campaign_owner_changed',
  ],
  tags: {
    Campaigns: 'Worlds that a few people build together, and the time in them',
    'Campaign members': 'Who reads a campaign, who writes, and who owns it',
    Kingdoms: 'What the settlements of a campaign stand in',
    Settlements: 'Places in a kingdom, with variables of their own',
    Structures: 'What stands in a settlement, with variables of its own',
  },
  topicsAround: campaignsAround,
  onUserDeleted: () => leaveCampaigns,
  // What is below comes before what it is in: the documents' examples are tried in this order, deletions too.
  operations: [
    createCampaign,
    listCampaigns,
    getTree,
    advanceTime,
    addMember,
    listMembers,
    createKingdom,
    listKingdoms,
    createSettlement,
    listSettlements,
    createStructure,
    listStructures,
    getStructure,
    updateStructure,
    deleteStructure,
    getSettlement,
    updateSettlement,
    deleteSettlement,
    getKingdom,
    updateKingdom,
    deleteKingdom,
    handOver,
    getMember,
    changeRole,
    removeMember,
    getCampaign,
    updateCampaign,
    deleteCampaign,
  ],
});
