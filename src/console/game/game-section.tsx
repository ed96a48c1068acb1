// The game: a player's own state, live, and what it can do with it.

import { useState } from 'react';
import { Refused } from '../../client/index.ts';
import { useCommand, useEvent, useTopic } from '../../client/react/index.ts';
import { Loading } from '../parts/empty.tsx';
import { DetailPane, PaneBody } from '../parts/pane.tsx';
import { Refusal } from '../parts/refusal.tsx';
import { useAnswer } from '../parts/use-answer.ts';
import { Computers } from './computers.tsx';
import { HackLog } from './hack-log.tsx';
import { Leaderboard } from './leaderboard.tsx';
import { NewPlayer } from './new-player.tsx';
import { RunningHacks } from './running-hacks.tsx';
import { Stats } from './stats.tsx';
import { Targets } from './targets.tsx';
import { Unlocks } from './unlocks.tsx';

const views = { play: 'Play', skills: 'Skills', players: 'Players' } as const;
type View = keyof typeof views;

export function GameSection() {
  const send = useCommand();
  const me = useAnswer('player', () => send('player.state', {}));
  if (me.data !== undefined) return <Board playerId={me.data.player.id} />;
  const isNobody = me.error instanceof Refused && me.error.code === 'not_found';
  return (
    <DetailPane title="Game">
      <PaneBody isNarrow>
        {isNobody ? (
          <NewPlayer onMade={me.reload} />
        ) : me.error === undefined ? (
          <Loading what="your player" />
        ) : (
          <Refusal error={me.error} />
        )}
      </PaneBody>
    </DetailPane>
  );
}

function Board({ playerId }: { playerId: string }) {
  const { state, error } = useTopic(`player:${playerId}`);
  const [view, setView] = useState<View>('play');
  const [news, setNews] = useState('');
  useEvent('player.levelled', ({ payload }) => setNews(`You are at level ${payload.level} now.`));
  if (state === undefined) {
    return (
      <DetailPane title="Game">
        {error === undefined ? <Loading what="your player" /> : <Refusal error={error} />}
      </DetailPane>
    );
  }
  return (
    <DetailPane
      title={state.player.handle}
      subtitle={`Level ${state.player.level}`}
      actions={Object.entries(views).map(([name, title]) => (
        <button
          key={name}
          type="button"
          className="quiet"
          aria-pressed={view === name}
          onClick={() => setView(name as View)} // a key of views
        >
          {title}
        </button>
      ))}
    >
      <PaneBody>
        <Stats player={state.player} />
        <p className="visually-hidden" role="status">
          {news}
        </p>
        {view === 'play' && (
          <div className="board">
            <div className="board-column">
              <RunningHacks state={state} />
              <Targets state={state} />
              <HackLog playerId={playerId} />
            </div>
            <Computers state={state} />
          </div>
        )}
        {view === 'skills' && <Unlocks xp={state.player.xp} held={state.unlocks.length} />}
        {view === 'players' && <Leaderboard playerId={playerId} />}
      </PaneBody>
    </DetailPane>
  );
}
