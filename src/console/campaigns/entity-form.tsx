// Changes one entity. It is saved as a change of the version that was read: where somebody was faster, the writer sees what they
// did, and decides.

import { type FormEvent, useState } from 'react';
import type { VariableSchema, Variables } from '../../modules/campaigns/contract.ts';
import { ConfirmButton } from '../parts/confirm-button.tsx';
import { Field, TextField } from '../parts/field.tsx';
import { Refusal } from '../parts/refusal.tsx';
import { useAction } from '../parts/use-action.ts';
import {
  beginDraft,
  follow,
  isChanged,
  keepMine,
  listChanged,
  pickChanged,
  takeTheirs,
  write,
} from './draft.ts';
import { VariablesEditor } from './variables-editor.tsx';

/** What the kinds of entity have in common, and what some of them have. */
export interface Entity {
  readonly id: string;
  readonly version: number;
  readonly name: string;
  readonly description?: string;
  readonly type?: string;
  readonly level?: number;
  readonly variables?: Variables;
  readonly variableSchemas?: VariableSchema[];
}

interface EntityFormProps<Shape extends Entity> {
  readonly kind: string;
  readonly entity: Shape;
  readonly mayWrite: boolean;
  readonly onSave: (version: number, changed: Partial<Shape>) => Promise<unknown>;
  readonly onDelete: (() => Promise<unknown>) | undefined;
}

export function EntityForm<Shape extends Entity>(props: EntityFormProps<Shape>) {
  const { kind, entity, mayWrite, onSave, onDelete } = props;
  const [draft, setDraft] = useState(() => beginDraft<Entity>(entity));
  const followed = follow(draft, entity);
  if (followed !== draft) setDraft(followed);
  const { base, mine, theirs } = draft;
  // The fields are those of the shape, of which the draft is one.
  const save = useAction(() => onSave(base.version, pickChanged(base, mine) as Partial<Shape>));
  const remove = useAction(async () => onDelete?.());
  const set = (change: Partial<Entity>): void => setDraft(write(draft, change));
  const submit = (event: FormEvent): void => {
    event.preventDefault();
    void save.run();
  };
  return (
    <form className="card entity" aria-label={`Change the ${kind}`} onSubmit={submit}>
      <p className="offer-head">
        <span className="subtitle">{kind}</span>
        <span className="tag">version {entity.version}</span>
      </p>
      <fieldset disabled={!mayWrite} className="entity-fields">
        <legend className="visually-hidden">What it is</legend>
        <Field
          label="Name"
          required
          maxLength={100}
          value={mine.name}
          onChange={(event) => set({ name: event.target.value })}
        />
        {mine.description !== undefined && (
          <TextField
            label="Description"
            rows={3}
            maxLength={2_000}
            value={mine.description}
            onChange={(event) => set({ description: event.target.value })}
          />
        )}
        {mine.type !== undefined && (
          <Field
            label="Type"
            required
            maxLength={50}
            value={mine.type}
            onChange={(event) => set({ type: event.target.value })}
          />
        )}
        {mine.level !== undefined && (
          <Field
            label="Level"
            type="number"
            required
            min={0}
            max={100}
            value={String(mine.level)}
            onChange={(event) => set({ level: event.target.valueAsNumber || 0 })}
          />
        )}
        {mine.variables !== undefined && (
          <VariablesEditor
            variables={mine.variables}
            schemas={mine.variableSchemas ?? []}
            onChange={(variables, variableSchemas) => set({ variables, variableSchemas })}
          />
        )}
      </fieldset>
      {theirs !== undefined && (
        <div className="notice" role="alert">
          <p>Somebody changed it while you were writing. Now it is version {theirs.version}:</p>
          <ul>
            {listChanged(base, theirs)
              .filter((field) => field !== 'version')
              .map((field) => (
                <li key={field}>
                  {field}: {JSON.stringify(theirs[field])}
                </li>
              ))}
          </ul>
          <div className="actions">
            <button type="button" onClick={() => setDraft(takeTheirs(draft))}>
              Take theirs
            </button>
            <button
              type="button"
              onClick={() => {
                setDraft(keepMine(draft));
                save.clear();
              }}
            >
              Keep what I wrote
            </button>
          </div>
        </div>
      )}
      <Refusal error={save.error ?? remove.error} />
      {mayWrite && (
        <div className="actions">
          <button
            type="submit"
            className="primary"
            disabled={!isChanged(draft) || theirs !== undefined || save.isBusy}
          >
            Save
          </button>
          {onDelete !== undefined && (
            <ConfirmButton
              question={`Really delete the ${kind}, and all in it?`}
              isBusy={remove.isBusy}
              onConfirm={() => void remove.run()}
            >
              Delete
            </ConfirmButton>
          )}
        </div>
      )}
    </form>
  );
}
