// The variables of a settlement or structure, each with a control that fits its schema, and a place for a new one.

import { useState } from 'react';
import type { VariableSchema, Variables, VariableValue } from '../../modules/campaigns/contract.ts';
import { ChoiceField, Field } from '../parts/field.tsx';
import { Icon } from '../parts/icon.tsx';

interface VariablesEditorProps {
  readonly variables: Variables;
  readonly schemas: readonly VariableSchema[];
  readonly onChange: (variables: Variables, schemas: VariableSchema[]) => void;
}

const types = ['number', 'string', 'boolean'] as const;
type SimpleType = (typeof types)[number];

const firstValues: Record<SimpleType, VariableValue> = { number: 0, string: '', boolean: false };

export function VariablesEditor({ variables, schemas, onChange }: VariablesEditorProps) {
  const [name, setName] = useState('');
  const [type, setType] = useState<SimpleType>('number');
  const isGood = /^[A-Za-z_]\w{0,63}$/.test(name) && !schemas.some((schema) => schema.name === name);
  return (
    <fieldset className="variables">
      <legend>Variables</legend>
      {schemas.length === 0 && <p className="hint">None yet.</p>}
      {schemas.map((schema) => (
        <div key={schema.name} className="variable">
          <Control
            schema={schema}
            value={variables[schema.name]}
            onChange={(value) => onChange({ ...variables, [schema.name]: value }, [...schemas])}
          />
          <button
            type="button"
            className="quiet square"
            aria-label={`Remove the variable ${schema.name}`}
            onClick={() => {
              const { [schema.name]: _, ...rest } = variables;
              onChange(
                rest,
                schemas.filter((other) => other !== schema),
              );
            }}
          >
            <Icon name="close" />
          </button>
        </div>
      ))}
      <div className="variable">
        <Field
          label="New variable"
          placeholder="population"
          maxLength={64}
          value={name}
          onChange={(event) => setName(event.target.value)}
        />
        <ChoiceField
          label="Its type"
          value={type}
          onChange={(event) => setType(types.find((one) => one === event.target.value) ?? 'number')}
        >
          {types.map((one) => (
            <option key={one}>{one}</option>
          ))}
        </ChoiceField>
        <button
          type="button"
          disabled={!isGood}
          onClick={() => {
            onChange({ ...variables, [name]: firstValues[type] }, [...schemas, { name, type }]);
            setName('');
          }}
        >
          Add
        </button>
      </div>
    </fieldset>
  );
}

interface ControlProps {
  readonly schema: VariableSchema;
  readonly value: VariableValue | undefined;
  readonly onChange: (value: VariableValue) => void;
}

function Control({ schema, value, onChange }: ControlProps) {
  switch (schema.type) {
    case 'boolean':
      return (
        <label className="check grow">
          <input
            type="checkbox"
            checked={value === true}
            onChange={(event) => onChange(event.target.checked)}
          />
          {schema.name}
        </label>
      );
    case 'enum':
      return (
        <ChoiceField
          label={schema.name}
          value={String(value ?? '')}
          onChange={(event) => onChange(event.target.value)}
        >
          {schema.options.map((option) => (
            <option key={option}>{option}</option>
          ))}
        </ChoiceField>
      );
    case 'number':
      return (
        <Field
          label={schema.name}
          type="number"
          step="any"
          min={schema.min}
          max={schema.max}
          value={String(value ?? '')}
          onChange={(event) => onChange(event.target.valueAsNumber || 0)}
        />
      );
    case 'string':
      return (
        <Field
          label={schema.name}
          value={String(value ?? '')}
          onChange={(event) => onChange(event.target.value)}
        />
      );
  }
}
