// A field of a form: what it is called, what helps to fill it in, and the control itself.

import { type ComponentProps, type ReactNode, useId } from 'react';

interface Labelled {
  readonly label: string;
  readonly hint?: ReactNode;
}

export function Field({ label, hint, ...input }: Labelled & ComponentProps<'input'>) {
  const id = useId();
  return (
    <div className="field">
      <label htmlFor={id}>{label}</label>
      <input id={id} {...(hint !== undefined && { 'aria-describedby': `${id}-hint` })} {...input} />
      <Hint id={id} hint={hint} />
    </div>
  );
}

export function TextField({ label, hint, ...area }: Labelled & ComponentProps<'textarea'>) {
  const id = useId();
  return (
    <div className="field">
      <label htmlFor={id}>{label}</label>
      <textarea id={id} {...(hint !== undefined && { 'aria-describedby': `${id}-hint` })} {...area} />
      <Hint id={id} hint={hint} />
    </div>
  );
}

export function ChoiceField({ label, hint, children, ...select }: Labelled & ComponentProps<'select'>) {
  const id = useId();
  return (
    <div className="field">
      <label htmlFor={id}>{label}</label>
      <select id={id} {...(hint !== undefined && { 'aria-describedby': `${id}-hint` })} {...select}>
        {children}
      </select>
      <Hint id={id} hint={hint} />
    </div>
  );
}

function Hint({ id, hint }: { id: string; hint: ReactNode }) {
  if (hint === undefined) return null;
  return (
    <p className="hint" id={`${id}-hint`}>
      {hint}
    </p>
  );
}
