namespace R1Serverless.Engine.ModelHosting;

/// <summary>A variant that is open and warm, but for its tokenizer, which is read meanwhile. One of the two is called.</summary>
/// <param name="Complete">Gives the loaded variant; null for the text of a model that takes none.</param>
/// <param name="Abandon">Frees what was opened.</param>
internal sealed record OpenedVariant(Func<ModelText?, LoadedVariant> Complete, Action Abandon);
