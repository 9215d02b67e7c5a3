import { Panel, showPanel } from '@/components/panel';
import { modalitiesOf, panelId } from '@/features/case/lib/evidence';
import type { Diagnosis, SummarySentence } from '@/lib/contract';
import { MODALITY_NAMES } from '@/lib/format';

/** The plain summary; each sentence leads to the evidence that it rests on. */
export function Summary({ diagnosis }: { diagnosis: Diagnosis }) {
  const sentences = diagnosis.explanation?.summary ?? [];
  if (sentences.length === 0) return null;
  return (
    <Panel title="In words">
      <ul className="summary">
        {sentences.map((sentence) => (
          <li key={sentence.text}>
            {sentence.text} <Links diagnosis={diagnosis} sentence={sentence} />
          </li>
        ))}
      </ul>
    </Panel>
  );
}

function Links({ diagnosis, sentence }: { diagnosis: Diagnosis; sentence: SummarySentence }) {
  return modalitiesOf(diagnosis, sentence.evidence).map((modality) => (
    <button key={modality} type="button" className="chip" onClick={() => showPanel(panelId(modality))}>
      {MODALITY_NAMES[modality]}
    </button>
  ));
}
