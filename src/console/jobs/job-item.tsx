// One job in the list.

import type { JobFace, Progress } from '../../modules/jobs/contract.ts';
import { Time } from '../parts/time.tsx';
import { linkTo } from '../route.ts';

interface JobItemProps {
  readonly job: JobFace;
  readonly progress: Progress | undefined;
  readonly isOpen: boolean;
}

export function JobItem({ job: { id, type, status, createdAt }, progress, isOpen }: JobItemProps) {
  return (
    <a className="item" href={linkTo('jobs', id)} aria-current={isOpen ? 'true' : undefined}>
      <span className="item-text">
        <span className="item-line">
          <b className="item-name">{type}</b>
          <Time at={createdAt} />
        </span>
        <span className="item-line">
          <span className={`tag ${status}`}>{status}</span>
          {status === 'running' && progress !== undefined && (
            <span className="preview">{progress.percentage} %</span>
          )}
        </span>
      </span>
    </a>
  );
}
