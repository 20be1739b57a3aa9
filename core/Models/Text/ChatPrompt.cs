namespace R1Serverless.Models.Text;

/// <summary>A conversation as a model reads it.</summary>
/// <param name="Ids">Its tokens, up to where the assistant's next message begins.</param>
/// <param name="OpensReasoning">Whether it ends inside the reasoning, so that the model's first token is already part of it.</param>
public sealed record ChatPrompt(IReadOnlyList<int> Ids, bool OpensReasoning);
