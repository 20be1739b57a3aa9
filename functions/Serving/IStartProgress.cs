namespace R1Serverless.Serving;

/// <summary>Takes what a start reports: lines for the terminal, and more where a server listens.</summary>
internal interface IStartProgress : IProgress<string>
{
    /// <summary>What the operator should act on.</summary>
    void Warn(string sentence) => Report(sentence);

    /// <summary>How far the start is.</summary>
    void Mark(StartupPhase phase)
    {
    }
}
