import { Panel } from '@/components/panel';
import { probabilityOf, type Step, ticksBetween, type Waterfall, waterfallOf } from '@/features/case/lib/waterfall';
import type { Diagnosis } from '@/lib/contract';
import { modalityNames, percent, signed } from '@/lib/format';

/** What each modality added to the first diagnosis, from the base to the total. */
export function Contributions({ diagnosis }: { diagnosis: Diagnosis }) {
  const explanation = diagnosis.explanation?.modalities ?? null;
  if (explanation === null) return null;
  const name = diagnosis.diagnoses?.find((d) => d.code.code === explanation.code)?.code.display ?? explanation.code;
  const waterfall = waterfallOf(explanation);
  const interactions = Object.entries(explanation.interactions ?? {});
  return (
    <Panel title="What each contributed" aside={<span className="small muted">to {name}, log-odds</span>}>
      <table className="waterfall">
        <thead className="visually-hidden">
          <tr>
            <th>Part</th>
            <th>Chart</th>
            <th>Log-odds</th>
          </tr>
        </thead>
        <tbody>
          {waterfall.steps.map((step) => (
            <Row key={step.key} step={step} waterfall={waterfall} />
          ))}
        </tbody>
      </table>
      <Axis waterfall={waterfall} />
      {interactions.length === 0 ? null : (
        <p className="small muted">
          Of this by acting together:{' '}
          {interactions
            .map(([key, value]) => `${modalityNames(key)} ${signed(value)}${labelOf(explanation.relations?.[key])}`)
            .join(', ')}
          .
        </p>
      )}
    </Panel>
  );
}

function Row({ step, waterfall }: { step: Step; waterfall: Waterfall }) {
  const place = (value: number) => ((value - waterfall.low) / (waterfall.high - waterfall.low)) * 100;
  const edge = step.kind === 'base' || step.kind === 'total';
  const left = Math.min(place(step.from), place(step.to));
  const width = Math.abs(place(step.to) - place(step.from));
  return (
    <tr className={`step step-${step.kind}`}>
      <th scope="row">{nameOf(step)}</th>
      <td className="step-chart">
        <span className="step-bar" style={{ left: `${left}%`, width: `${Math.max(width, 0.5)}%` }} />
        <span className="step-level" style={{ left: `${place(step.to)}%` }} />
      </td>
      <td className="number">{edge ? signed(step.to) : signed(step.to - step.from)}</td>
    </tr>
  );
}

/** What two modalities are to each other; nothing where they only add up. */
function labelOf(relation: string | undefined): string {
  return relation === undefined || relation === 'additive' ? '' : ` (${relation})`;
}

function nameOf(step: Step): string {
  if (step.kind === 'base') return 'Base rate';
  if (step.kind === 'total') return `Together: ${percent(probabilityOf(step.to))}`;
  return modalityNames(step.key);
}

function Axis({ waterfall }: { waterfall: Waterfall }) {
  const { low, high } = waterfall;
  return (
    <div className="waterfall-axis" aria-hidden="true">
      {ticksBetween(low, high).map(({ probability, logOdds }) => (
        <span key={probability} style={{ left: `${((logOdds - low) / (high - low)) * 100}%` }}>
          {probability < 0.01 || probability > 0.99 ? `${probability * 100} %` : percent(probability)}
        </span>
      ))}
    </div>
  );
}
