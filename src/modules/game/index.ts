// The game: players, their computers and defenses, and the hacks between them.

import { defineModule } from '../../realtime/index.ts';
import { buyComputer, getComputer, scanComputers } from './computers.ts';
import { events } from './contract.ts';
import { installDefense } from './defenses.ts';
import { hackEnd } from './ending.ts';
import { abortHack, retirePlayer, startHack } from './hacking.ts';
import { getHack, listHacks } from './hacks.ts';
import { createPlayer, getPlayer, getState, listPlayers } from './players.ts';
import { startProgress } from './progress.ts';
import { computer, player } from './topics.ts';
import { buyUnlock, listUnlocks } from './unlocks.ts';

export const gameModule = defineModule('game', {
  topicKinds: [player, computer],
  events,
  auditEvents: ['player_created'],
  tags: {
    Players: 'Who plays, what they have, and who is ahead',
    Computers: 'What is hacked, and what keeps it from that',
    Hacks: 'They begin, run for a while, and succeed or fail by themselves',
    Unlocks: 'What xp is spent on: the tools of hacks',
  },
  onUserDeleted: () => retirePlayer,
  timed: [hackEnd],
  operations(core) {
    startProgress(core);
    return [
      createPlayer,
      getState,
      listPlayers,
      getPlayer,
      scanComputers,
      buyComputer,
      getComputer,
      installDefense,
      startHack,
      listHacks,
      getHack,
      abortHack,
      listUnlocks,
      buyUnlock,
    ];
  },
});
