using System.Diagnostics;
using System.Globalization;
using System.Security.Cryptography;

namespace R1Serverless.Tests.Azure.Storage;

/// <summary>A running Azurite, the stand-in for Azure Storage, of its own on free ports.</summary>
internal sealed class Azurite : IAsyncDisposable
{
    private const string Account = "r1tests";
    private static readonly TimeSpan MaxStartTime = TimeSpan.FromSeconds(60);

    private readonly string? folder;
    private readonly string key;
    private readonly SemaphoreSlim clock = new(1);
    private Process? process;

    private Azurite(string? folder, string key) => (this.folder, this.key) = (folder, key);

    /// <summary>Stays the same over restarts.</summary>
    public string ConnectionString => $"DefaultEndpointsProtocol=http;AccountName={Account};AccountKey={key};"
        + $"BlobEndpoint=http://127.0.0.1:{BlobPort}/{Account};QueueEndpoint=http://127.0.0.1:{QueuePort}/{Account};";

    public int BlobPort { get; } = QuietPorts.Take();

    public int QueuePort { get; } = QuietPorts.Take();

    /// <param name="folder">Where what it holds outlives the process; null for memory.</param>
    public static async Task<Azurite> StartAsync(string? folder)
    {
        Azurite azurite = new(folder, Convert.ToBase64String(RandomNumberGenerator.GetBytes(64)));
        await azurite.StartAsync();
        return azurite;
    }

    /// <summary>Starts it again after <see cref="StopAsync"/>, on the same ports.</summary>
    public async Task StartAsync()
    {
        var script = RepositoryFiles.Path("tests", "azurite", "node_modules", "azurite", "dist", "src", "azurite.js");
        if (!File.Exists(script)) throw new InvalidOperationException("Azurite is not installed: tests/run does that, or `npm ci` in tests/azurite.");
        ProcessStartInfo start = new("node") { UseShellExecute = false, RedirectStandardInput = true, RedirectStandardOutput = true };
        string[] arguments =
        [
            "--require", RepositoryFiles.Path("tests", "azurite", "testbed.cjs"), script, "--silent", "--disableTelemetry", "--skipApiVersionCheck",
            "--blobPort", Number(BlobPort), "--queuePort", Number(QueuePort), "--tablePort", "0",
        ];
        foreach (var argument in arguments) start.ArgumentList.Add(argument);
        if (folder is null)
        {
            start.ArgumentList.Add("--inMemoryPersistence");
        }
        else
        {
            start.ArgumentList.Add("--location");
            start.ArgumentList.Add(folder);
        }

        start.Environment["AZURITE_ACCOUNTS"] = $"{Account}:{key}";
        process = Process.Start(start)!;
        using CancellationTokenSource late = new(MaxStartTime);
        for (var ready = 0; ready < 3;)
        {
            var line = await process.StandardOutput.ReadLineAsync(late.Token)
                ?? throw new InvalidOperationException("Azurite ended before it was ready.");
            if (line.Contains("service is successfully listening at http://127.0.0.1:", StringComparison.Ordinal)) ready++;
        }
    }

    /// <summary>Sets the service's clock ahead: leases end and objects age at once.</summary>
    public async Task PassAsync(TimeSpan time)
    {
        await clock.WaitAsync();
        try
        {
            await process!.StandardInput.WriteLineAsync(((long)Math.Ceiling(time.TotalMilliseconds)).ToString(CultureInfo.InvariantCulture));
            // It is silent but for the answer.
            await process.StandardOutput.ReadLineAsync();
        }
        finally
        {
            clock.Release();
        }
    }

    /// <summary>Ends it once it has saved what it holds: killed, it would lose what it had acknowledged, as no service does.</summary>
    public async Task StopAsync()
    {
        if (process is null) return;
        process.StandardInput.Close();
        await process.WaitForExitAsync();
        process.Dispose();
        process = null;
    }

    public async ValueTask DisposeAsync()
    {
        if (folder is null) process?.Kill();
        await StopAsync();
        clock.Dispose();
    }

    private static string Number(int port) => port.ToString(CultureInfo.InvariantCulture);
}
