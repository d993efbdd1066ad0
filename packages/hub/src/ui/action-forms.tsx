import { instanceTitle, MAX_NAME_LENGTH, type Instance } from "../instance.ts";
import { type ActionName, forgetQuestion, INSTANCE_ACTIONS, possibleActions } from "./instance-actions.ts";

/** What can be done to an instance now. Behind a card dialogs.js sends the forms, and the card says what is on its way. */
export function ActionForms({ instance }: { instance: Instance }) {
  return (
    <div class="actions">
      {possibleActions(instance)
        .toSorted((a, b) => Number(a === "rename") - Number(b === "rename"))
        .map((action) => (
          <ActionForm action={action} instance={instance} />
        ))}
    </div>
  );
}

interface ActionFormProps {
  action: ActionName;
  instance: Instance;
}

function ActionForm({ action, instance }: ActionFormProps) {
  const { words, path } = INSTANCE_ACTIONS[action];
  const question = action === "forget" ? forgetQuestion(instanceTitle(instance)) : undefined;
  return (
    <form
      class={action === "rename" ? "inline-form" : undefined}
      method="post"
      action={path(instance.label)}
      data-confirm={question}
    >
      {action === "rename" && <NameField instance={instance} />}
      {/* By its id htmx gives it back the focus when it is drawn anew. */}
      <button
        class={action === "forget" ? "plain danger" : "button"}
        id={`${action}-${instance.label}`}
        type="submit"
      >
        {words}
      </button>
    </form>
  );
}

function NameField({ instance }: { instance: Instance }) {
  const id = `name-${instance.label}`;
  return (
    <>
      <label class="visually-hidden" for={id}>
        Name
      </label>
      <input
        id={id}
        name="name"
        maxlength={MAX_NAME_LENGTH}
        autocomplete="off"
        value={instance.name}
        placeholder={instanceTitle({ ...instance, name: "" })}
      />
    </>
  );
}
