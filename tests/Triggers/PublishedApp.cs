using System.Diagnostics;
using System.Text;

namespace R1Serverless.Tests.Triggers;

[CollectionDefinition(Name)]
public sealed class PublishedAppTests : ICollectionFixture<PublishedApp>
{
    public const string Name = "published app";
}

/// <summary>The folder that <c>dotnet publish functions</c> gives, made once for all tests, or the one that R1_PUBLISHED_APP names. What was compiled
/// stays under tests/obj, so that the next run is quick.
/// Not one image with the framework: that takes minutes longer and changes how soon a process starts, nothing else.</summary>
public sealed class PublishedApp : IAsyncLifetime
{
    private static readonly TimeSpan Limit = TimeSpan.FromMinutes(15);

    private static readonly string? Given = Environment.GetEnvironmentVariable("R1_PUBLISHED_APP");

    public string Folder { get; } = Given ?? RepositoryFiles.Path("tests", "obj", "app", "out");

    public async ValueTask InitializeAsync()
    {
        if (Given is not null) return;
        // What an earlier run published must not stay.
        if (Directory.Exists(Folder)) Directory.Delete(Folder, recursive: true);
        var artifacts = RepositoryFiles.Path("tests", "obj", "app", "artifacts");
        ProcessStartInfo start =
            new("dotnet")
            {
                WorkingDirectory = RepositoryFiles.Root, UseShellExecute = false, RedirectStandardOutput = true,
                RedirectStandardError = true
            };
        foreach (var one in (string[])["publish", "functions", "-p:PublishReadyToRunComposite=false", "-p:RunAnalyzers=false", "--output", Folder,
            "--artifacts-path", artifacts, "--disable-build-servers", "--verbosity", "quiet", "--nologo"]) start.ArgumentList.Add(one);
        StringBuilder said = new();
        using Process publish = new() { StartInfo = start };
        publish.OutputDataReceived += (_, line) => Hear(line.Data);
        publish.ErrorDataReceived += (_, line) => Hear(line.Data);
        publish.Start();
        publish.BeginOutputReadLine();
        publish.BeginErrorReadLine();
        using CancellationTokenSource limit = new(Limit);
        try
        {
            await publish.WaitForExitAsync(limit.Token);
        }
        finally
        {
            if (!publish.HasExited) publish.Kill(entireProcessTree: true);
        }

        Assert.True(publish.ExitCode == 0, said.ToString());

        void Hear(string? line)
        {
            lock (said) said.AppendLine(line);
        }
    }

    public ValueTask DisposeAsync() => ValueTask.CompletedTask;
}
