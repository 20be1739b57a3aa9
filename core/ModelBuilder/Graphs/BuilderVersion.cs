namespace R1Serverless.ModelBuilder.Graphs;

/// <summary>The builder's version, part of every fingerprint: raise it when the same checkpoint would give another graph.</summary>
public static class BuilderVersion
{
    public const string Current = "4";
}
